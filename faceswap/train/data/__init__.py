"""Faces on their way to the networks: samples, cache, order, batches."""
