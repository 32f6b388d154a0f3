"""Timers of the whole home, and what time it is."""
