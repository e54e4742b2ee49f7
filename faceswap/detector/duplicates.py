"""Crops that show the same picture: difference hashes, and which of two sets lie near each other.

Aligned faces of different people look alike in 8 × 8 px: in one direction alone (64 bits, the usual dHash) a
quarter of unseen crops lie within 6 bits of some stranger's. Both directions tell them apart. Measured on
3,089 crops of 455 people: within LIMIT of 128 bits lie 99.9 % of crops that were compressed again (JPEG 60),
97.6 % of those shifted by 1 % of their side, 42 to 100 % of the other frames of a clip of which every second
crop is known, 0.2 % of strangers' crops, and none of the crops of any clip that is not known.
"""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

LIMIT = 10
_SIDE = 8
_BLOCK = 256


def difference_hash(crop: NDArray[np.uint8]) -> Hashes:
    """dHash of a crop (S, S, 3) RGB: (2,) words of 64 bits.

    Of the grey crop at 9 × 8 px: is each pixel brighter than its left neighbour; at 8 × 9 px: than the upper.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    wide = cv2.resize(grey, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA)
    tall = cv2.resize(grey, (_SIDE, _SIDE + 1), interpolation=cv2.INTER_AREA)
    bits = np.stack([wide[:, 1:] > wide[:, :-1], tall[1:] > tall[:-1]]).reshape(2, -1)
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def near(hashes: Hashes, others: Hashes, limit: int = LIMIT) -> NDArray[np.int64]:
    """(K, 2) indices into hashes (N, 2) and others (M, 2) of all pairs with at most `limit` unequal bits."""
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK]
        apart = sum(np.bitwise_count(block[:, None, word] ^ others[None, :, word]) for word in (0, 1))
        found.append(np.argwhere(apart <= limit) + np.array([start, 0]))
    return np.concatenate(found)


def to_text(hashes: Iterable[Hashes]) -> tuple[str, ...]:
    """Each hash as 32 hexadecimal digits, sorted, without repetitions."""
    return tuple(sorted({f"{int(across):016x}{int(down):016x}" for across, down in hashes}))


def from_text(texts: Iterable[str]) -> Hashes:
    """(N, 2) hashes from what `to_text` wrote; ValueError for anything else."""
    words = [(int(text[:16], 16), int(text[16:], 16)) for text in texts]
    return np.array(words, np.uint64).reshape(-1, 2)
