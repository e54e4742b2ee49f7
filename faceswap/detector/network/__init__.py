"""The detector itself: networks, losses, files, and asking it."""
