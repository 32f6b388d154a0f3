"""Pure merge algebra: the kinds of documents. No I/O, no clock, no randomness."""
