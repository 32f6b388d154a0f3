"""Numbers, times, days, lengths and units, from words and to words. Pure."""
