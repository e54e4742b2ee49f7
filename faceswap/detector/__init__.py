"""Judging: is this face real, which part of it is not, and how sure is that."""
