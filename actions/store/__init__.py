"""What the action server keeps: cases, what conversations wait for, and what has still to be sent to people."""
