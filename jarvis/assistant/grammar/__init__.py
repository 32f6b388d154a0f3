"""Sentences told apart by rules: timers, loudness, the conversation itself, announcements."""
