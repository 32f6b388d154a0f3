"""From text that is still being written to sound."""
