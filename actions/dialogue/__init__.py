"""Thin Rasa actions: read the tracker, run a playbook, say its steps."""
