"""Colour transfer between pictures: pure functions."""
