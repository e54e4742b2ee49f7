"""One update of the model: augment, reconstruct, compare, step."""
