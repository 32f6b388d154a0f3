"""Accepting a record, local or remote: one path. Documents and checkpoints."""
