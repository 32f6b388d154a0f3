"""Deciding what to answer: intents first, else a language model."""
