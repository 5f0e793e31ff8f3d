"""One module a channel: checks what comes in at its edge and hands it to the inbox; nothing is decided here."""
