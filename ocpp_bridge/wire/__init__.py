"""OCPP-J without any I/O: frames and the session state machine. Sockets are `server/`, meaning is `versions/`."""
