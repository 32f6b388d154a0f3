"""The home's things: which one is meant, what is done with it, how it is."""
