"""People: cases that tell them what happened, and the ways by which they hear of those that need them."""
