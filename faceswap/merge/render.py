"""A whole frame as the clip will show it: every face in it, and what is done to the frame around them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from faceswap.color.moments import Moment
from faceswap.faces.tracks import Spot
from faceswap.faceset.store import Face
from faceswap.merge.compose import compose, raw_picture
from faceswap.merge.enhance import BUNDLED, Enhancer
from faceswap.merge.filters import degrade_colors, treat_background
from faceswap.merge.masks import Prediction
from faceswap.merge.settings import MergeSettings
from faceswap.types import FaceType, Frame, Mask, Points


class Subject(NamedTuple):
    """A face to lay over a frame: its landmarks (68, 2), and whether it keeps its own pixels.

    motion: see `motion.movement`; None where unknown or not asked for. spot: which face of the clip it is.
    near: where the same face is in the frames that its light and masks are averaged over, itself among
    them; empty where that is not asked for. tone: what comes of it (see `steady`), for `Scene`. own: the
    face of the faceset whose drawn or stored mask is used (see `own`).
    """

    landmarks: Points
    leave: bool = False
    motion: tuple[float, float] | None = None
    spot: Spot = (0, 0)
    near: tuple[Spot, ...] = ()
    tone: Moment | None = None
    own: Face | None = None


def is_untouched(subjects: Sequence[Subject], settings: MergeSettings) -> bool:
    """Whether a frame comes out as it went in, so that nothing needs to be computed."""
    whole_frame = (
        settings.image_denoise_power or settings.bicubic_degrade_power or settings.color_degrade_power
    )
    return not subjects and not whole_frame and settings.mode != "raw-predict"


def render(
    frame: Frame,
    subjects: Sequence[Subject],
    predictions: Sequence[Prediction],
    face_type: FaceType,
    settings: MergeSettings,
    resolution: int,
    enhancer: Enhancer = BUNDLED,
) -> tuple[Frame, Mask]:
    """The finished picture of `frame` and how much the swaps cover, (H, W) in [0, 1].

    The background is treated first, faces are laid over it one after the other, colours are reduced last
    (dfl-facts §11.3.10g-h). A later face sees the earlier ones: DFL swaps each in the untouched frame and
    mixes the results, which lets the original show through where two soft edges meet (§11.3.12).
    In mode raw-predict it is the model's picture (resolution², black without a face) of the first face that
    is swapped.
    """
    pairs = list(zip(subjects, predictions, strict=True))
    if settings.mode == "raw-predict":
        for subject, prediction in pairs:
            if not subject.leave:
                return raw_picture(subject.landmarks, face_type, prediction, settings, frame.dtype.type)
        side = (resolution, resolution)
        return np.zeros((*side, 3), frame.dtype), np.zeros(side, np.float32)
    treated = treat_background(frame, settings)
    done = treated.copy() if treated is frame else treated
    mask = np.zeros(frame.shape[:2], np.float32)
    for subject, prediction in pairs:
        own = settings.model_copy(update={"mode": "original"}) if subject.leave else settings
        way, tone = subject.motion, subject.tone
        part = compose(done, subject.landmarks, face_type, prediction, own, way, tone, enhancer)
        done[part.rectangle.slices] = part.pixels
        covered = mask[part.rectangle.slices]
        covered += (1 - covered) * part.mask
    return degrade_colors(done, settings.color_degrade_power), mask
