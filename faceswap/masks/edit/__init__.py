"""Masks marked by a person: the editor without its window."""
