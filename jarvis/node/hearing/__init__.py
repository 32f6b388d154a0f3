"""This room's ears and voice, and which room answers."""
