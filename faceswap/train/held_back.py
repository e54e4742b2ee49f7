"""Faces that are never trained on, so that what a model makes of them says how good it is."""

import hashlib

import numpy as np

from faceswap.train.samples import SampleStore

# Fewer say nothing; more only take time.
LEAST, MOST = 4, 64


def hold_back(store: SampleStore, fraction: float) -> tuple[SampleStore, SampleStore | None]:
    """The store without a fraction of its faces, and those; None where they would be fewer than four.

    Which ones follows from their names alone: a face stays held back when others come or go. At most 64 are
    kept for measuring; further ones are left out of the training all the same.
    """
    held = np.array([_place(name) < fraction for name in store.names], bool)
    rows = np.flatnonzero(held)
    if len(rows) < LEAST or len(rows) == len(store):
        return store, None
    spread = rows[np.linspace(0, len(rows) - 1, min(MOST, len(rows))).astype(np.int64)]
    return store.subset(np.flatnonzero(~held)), store.subset(spread)


def _place(name: str) -> float:
    """A name's place in [0, 1), as good as drawn at random."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
