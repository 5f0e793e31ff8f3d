"""What the bot says, `domain/responses/<language>.yml`: seen and reworded by language and channel."""
