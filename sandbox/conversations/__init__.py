"""The conversation simulator: scripted and goal-driven drivers talk to the front door while simulated chargers misbehave.

What came of it is judged by the chargers' true state and by what went over their sockets, never by what the bot says.
"""
