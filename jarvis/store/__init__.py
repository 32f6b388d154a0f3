"""The encrypted store and its in-memory twin; the only room that speaks SQL."""
