"""Models in worker processes: a deadline for every call, one restart, then an honest error."""
