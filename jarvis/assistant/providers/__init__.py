"""Language models that are asked over HTTP, what keeps a bad one from costing an answer, and what they cost."""
