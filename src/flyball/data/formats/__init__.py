"""How files become rows: one reader per format, and one judge of what they read."""
