"""Models run in worker processes: a crash or a hang costs one answer, not the node. Knows no model by name."""
