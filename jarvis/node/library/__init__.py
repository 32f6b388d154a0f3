"""The library of a node: what it was given to know, and how any room asks for it."""
