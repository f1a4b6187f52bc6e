"""Who puts candidate responses in order, ties allowed."""
