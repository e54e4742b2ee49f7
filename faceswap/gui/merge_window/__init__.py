"""The merge window."""
