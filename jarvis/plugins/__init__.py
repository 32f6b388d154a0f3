"""What others may add to a node - intents, tools, engines, file processors, model providers, listeners - and how it is
found, checked, switched on and off. Nothing of a plugin runs before somebody on this device has enabled it."""
