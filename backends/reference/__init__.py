"""NumPy, obviously right."""
