"""Points, crops and transforms: pure functions on arrays."""
