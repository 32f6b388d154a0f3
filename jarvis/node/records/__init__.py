"""What is written, kept, and no longer kept: the journal and what tends it."""
