"""Who belongs to the home: founding, joining, leaving, removing."""
