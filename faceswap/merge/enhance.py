"""Super-resolution: a swapped face four times as fine as the model drew it."""

from typing import Protocol

import cv2
import numpy as np

from faceswap.types import Image

FACTOR = 4
_ROUNDS = 2
# Of the bilateral filter: its side and spread in fine pixels, and in colours, summed over the channels.
_SIDE_PX, _SPREAD_PX, _COLOR_SPREAD = 7, 2.0, 0.2


class Enhancer(Protocol):
    """Draws a face finer; a model does it as well as `BackProjection`. Called from several threads."""

    def enhance(self, face: Image) -> Image:
        """(4R, 4R, 3) for a face (R, R, 3), both float32 RGB in [0, 1]."""
        ...


class BackProjection:
    """The picture that, shrunk, gives the face again, with edges as sharp as that allows.

    Irani and Peleg, "Improving resolution by image registration", CVGIP 1991, for one picture, with a
    bilateral filter between the rounds, which keeps the steps of an edge from growing: Dai, Han, Wu,
    Gong, "Bilateral back-projection for single image super resolution", ICME 2007.
    Crops are averages of what was filmed, hence so is the shrinking.
    """

    def enhance(self, face: Image) -> Image:
        fine = _enlarged(face)
        for _ in range(_ROUNDS):
            fine = cv2.bilateralFilter(_corrected(fine, face), _SIDE_PX, _COLOR_SPREAD, _SPREAD_PX)
        return np.clip(_corrected(fine, face), 0, 1)


BUNDLED: Enhancer = BackProjection()


def super_resolve(face: Image, enhancer: Enhancer, power: int) -> Image:
    """The face (4R, 4R, 3), `power` percent of it by the enhancer, the rest cubic."""
    mixed = cv2.addWeighted(enhancer.enhance(face), power / 100, _enlarged(face), 1 - power / 100, 0)
    return np.asarray(mixed, np.float32)


def _corrected(fine: Image, face: Image) -> Image:
    """`fine` with its difference from `face`, once shrunk, put right."""
    shrunk = cv2.resize(fine, face.shape[1::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.add(fine, _enlarged(cv2.subtract(face, shrunk))), np.float32)


def _enlarged(face: Image) -> Image:
    size = (FACTOR * face.shape[1], FACTOR * face.shape[0])
    return np.asarray(cv2.resize(face, size, interpolation=cv2.INTER_CUBIC), np.float32)
