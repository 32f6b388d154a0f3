"""Which room answers a wake word that several heard."""
