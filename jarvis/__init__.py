"""Jarvis: a voice assistant with no server. The rooms are drawn in docs/architecture.md."""

__version__ = "0.1.0"
