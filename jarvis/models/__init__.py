"""The model files: what there is, where each comes from, the cache they lie in."""
