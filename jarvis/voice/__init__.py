"""Hearing and speaking: sources, wake, endpoint, speech to text, text to speech, sinks."""
