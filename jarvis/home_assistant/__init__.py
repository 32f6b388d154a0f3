"""The lights, doors and heaters of a home, through its Home Assistant."""
