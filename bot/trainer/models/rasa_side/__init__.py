"""The half of the desk that runs in the Rasa environment (Python 3.10), as one process that stays warm. See `__main__`."""
