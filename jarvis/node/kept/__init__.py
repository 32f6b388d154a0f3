"""What the home keeps for its people: notes, lists, things to remember."""
