"""A carrier that behaves as Twilio and Meta do, and two phones to text with. It knows nothing of the bot but its webhooks."""
