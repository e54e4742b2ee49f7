"""How training pictures are changed: pure functions, drawn by a generator that the caller hands in."""
