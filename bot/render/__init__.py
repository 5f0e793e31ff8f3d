"""Pure functions that turn a reply into what a channel can show."""
