"""What a home knows: texts, and what they mean as numbers. Knows nothing of nodes, peers or the store."""
