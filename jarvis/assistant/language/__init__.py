"""Language models as the assistant uses them: what they are told, asked, believed and allowed."""
