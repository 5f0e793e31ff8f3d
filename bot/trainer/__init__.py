"""The trainers' desk: what was misunderstood, labels, the data's health, trained and compared models, what the bot says."""
