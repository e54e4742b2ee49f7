"""Actor B with a hand-coloured thing that crosses the face, as a faceset whose true masks are known."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import Faceset, write_face
from faceswap.faceset.stored_masks import STORED_PX
from faceswap.geometry.geometry import crop_transform
from faceswap.geometry.warp import cut_crop
from faceswap.io.documents import read_json
from faceswap.io.images import decode_image
from faceswap.types import FaceType, Frame, Mask, Side

SIDE = 512
# Per frame the thing moves by so much; it enters at the left and leaves at the right within 100 frames.
_STEP_PX, _RADII_PX = 6.5, (50, 70)


def make(folder: Path, demo: Path, shared: Path, count: int) -> tuple[Faceset, list[Mask]]:
    """The first `count` frames as whole-face crops in `folder`, and their true masks; all STORED_PX²."""
    frames = read_json(demo / "actor_b.json")["frames"]
    texture = cv2.GaussianBlur(np.random.default_rng(5).normal(0, 1, (SIDE, SIDE)), (0, 0), 4)
    thing = np.clip(np.array([190, 145, 120]) + 120 * texture[..., None], 0, 255).astype(np.float32)
    truths = []
    with zipfile.ZipFile(shared / "actors" / "actor_b_masks.zip") as masks:
        for number, picture in zip(range(count), _pictures(demo / "actor_b.mp4"), strict=False):
            alpha = _thing(number)
            covered = picture * (1 - alpha[..., None]) + thing * alpha[..., None]
            # The renderer counts from the corner of the first pixel.
            points = np.array(frames[number]["landmarks68"], np.float32) - np.float32(0.5)
            to_face = crop_transform(points, STORED_PX, FaceType.WHOLE)
            crop = cut_crop(np.rint(covered).astype(np.uint8), to_face, STORED_PX)
            name = f"{number + 1:05d}"
            meta = FaceMeta(f"{name}.png", to_face, STORED_PX, points, FaceType.WHOLE, Side.DST, 0, 0.9)
            write_face(folder / f"{name}_0.jpg", crop, meta)
            whole = decode_image(masks.read(f"{number:04d}.png"))[..., 0]
            seen = (whole / 255 * (1 - alpha)).astype(np.float32)
            truths.append(cv2.warpAffine(seen, to_face, (STORED_PX, STORED_PX), flags=cv2.INTER_LINEAR))
    return Faceset.open(folder), truths


def trembling(truth: Mask, seed: int, shift_px: float) -> Mask:
    """A mask as a network might see it: its outline shifted here and there, spots missing, edges soft."""
    rng = np.random.default_rng(seed)

    def field(sigma: float) -> Mask:
        noise = cv2.GaussianBlur(rng.normal(0, 1, truth.shape).astype(np.float32), (0, 0), sigma)
        return np.asarray(noise / noise.std(), np.float32)

    y, x = np.indices(truth.shape, np.float32)
    shifted = cv2.remap(truth, x + shift_px * field(16), y + shift_px * field(16), cv2.INTER_LINEAR)
    holed = shifted * (1 - np.clip(2 * (field(6) - 2.4), 0, 1))
    return np.asarray(cv2.GaussianBlur(holed, (0, 0), 1.2), np.float32)


def iou(one: Mask, two: Mask) -> float:
    """Intersection over union of where masks exceed one half."""
    return float(((one > 0.5) & (two > 0.5)).sum() / ((one > 0.5) | (two > 0.5)).sum())


def _pictures(clip: Path) -> Iterator[Frame]:
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def _thing(number: int) -> Mask:
    middle = (-60 + _STEP_PX * (number % 100), 330 - 40 * np.sin(number / 9))
    fine = np.zeros((4 * SIDE, 4 * SIDE), np.uint8)
    center, axes = [int(4 * value) for value in middle], [4 * value for value in _RADII_PX]
    cv2.ellipse(fine, center, axes, 20, 0, 360, 255, -1)
    return cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
