"""Where weights go and how far: one guide a file."""
