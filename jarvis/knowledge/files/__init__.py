"""Files as text with places: a processor for each kind of file, run in a process of its own that can do little harm.
Nothing here keeps what it reads, and nothing here knows of an index or a node."""
