"""For tests and simulations: virtual clock, in-memory network, scripted voices."""
