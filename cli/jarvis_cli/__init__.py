"""The command line: thin commands over api.client. It imports nothing heavy until a command needs it."""
