"""What the benches share; nothing here is a bench."""
