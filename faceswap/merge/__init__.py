"""Merging the swap back into the frames."""
