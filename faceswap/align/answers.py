"""What the networks of a face-model pack answer: believed only where it is numbers of the right shape.

Packs are the user's own; one that was cut down, converted badly or made for something else answers with what
is no number, or with something of another shape. About one face that is passed over, once with a word.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.console import warn
from faceswap.errors import UserError
from faceswap.faceset.metadata import read_landmarks
from faceswap.types import Points

_HINT = "name another pack: --face-models PACK"


class NoAnswer(UserError):  # noqa: N818 - named for what it is
    """An answer about one face that is of no use; those about others may be."""


def asked(folder: Path, what: str, call: Callable[[], Any]) -> NDArray[np.float32]:
    """What `call` gives, float32; UserError where the network, or insightface on account of it, fails.

    what: the network in words. folder: of its pack.
    """
    try:
        return np.asarray(call(), np.float32)
    except MemoryError:
        raise
    # insightface takes apart whatever a network answers, and onnxruntime has kinds of its own.
    except Exception as error:
        told = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"the {what} of {folder} cannot be used", told[:200], _HINT) from None


def believed_boxes(folder: Path, answer: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows (N, 5), corners and score, that are boxes; UserError for another shape."""
    if answer.ndim != 2 or answer.shape[1] != 5:
        raise UserError(f"the face finder of {folder} answers {answer.shape}, not (N, 5)", "", _HINT)
    sound = np.isfinite(answer).all(axis=1) & (answer[:, 2:4] > answer[:, :2]).all(axis=1)
    if not sound.all():
        tell_once(f"the face finder of {folder} answers with boxes that are none; they are passed over")
    return answer[sound]


def believed_points(folder: Path, answer: NDArray[np.float32]) -> NDArray[np.float32]:
    """(68, 2) of the points of an answer; UserError for another shape, NoAnswer for what is no number."""
    if answer.ndim != 2 or len(answer) != 68 or answer.shape[1] < 2:
        raise UserError(f"the landmarks of {folder} are {answer.shape}, not (68, 2)", "", _HINT)
    if not np.isfinite(answer[:, :2]).all():
        raise NoAnswer(f"the landmarker of {folder} answers what is no number", "", _HINT)
    return answer[:, :2]


def believed_face(folder: Path, landmarks: NDArray[np.float64]) -> Points:
    """Landmarks (68, 2) in a frame that a crop can be laid around; else NoAnswer."""
    try:
        return read_landmarks(landmarks)
    except ValueError as error:
        raise NoAnswer(f"the landmarker of {folder} answers {error}", "", _HINT) from None


@cache
def tell_once(text: str) -> None:
    """Warn of something that would be said for every face of a clip."""
    warn(text)
