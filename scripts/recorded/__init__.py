"""Recordings of people, from sound to intent, against what was written down of them."""
