"""The peer protocol as a state machine without I/O: message in, effects out."""
