"""What the bridge can do to a charger: each command is a precondition, the gate, a call, a watch for its effect, an outcome."""
