"""What looks for mistakes by chance: simulated homes and damaged bytes."""
