"""Sentences written down as templates, and which of them a text is. See docs/sentences.md."""
