"""What goes over the links to peers, and what people see of it."""
