"""Benchmarks: each measures what it is about, the limit and the alternative in one run, and reports ratios."""
