"""Conversations: their turns, where they go on, and which of them stay in a room."""
