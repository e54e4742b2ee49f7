"""A clip that is merged in no time: small frames, a few faces, a swapper that paints."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import write_face
from faceswap.geometry.geometry import HEAD_MODEL, crop_transform
from faceswap.geometry.warp import cut_crop
from faceswap.io.images import write_image
from faceswap.merge.enhance import BUNDLED
from faceswap.merge.masks import Prediction
from faceswap.types import FaceType, Frame, Image, Points, Side

HEIGHT, WIDTH, FRAMES_N = 120, 200, 8


class Paint:
    """The simplest swapper: every face becomes one colour under a round mask."""

    resolution, face_type, identity = 64, FaceType.WHOLE, "paint at 1"
    enhancer, morphs = BUNDLED, False

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, crops: Sequence[Image], _morphs: Sequence[float] = ()) -> list[Prediction]:
        self.batches.append(len(crops))
        y, x = np.indices((64, 64), np.float32)
        mask = np.clip(20 - np.hypot(x - 32, y - 34), 0, 1).astype(np.float32)
        return [Prediction(np.full((64, 64, 3), 0.25, np.float32), mask, mask) for _ in crops]


def place_face(x: float, y: float, width_px: float, degrees: float = 8) -> Points:
    """Landmarks of a mean head around (x, y), `width_px` wide at the jaw, rolled by `degrees`."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flat = HEAD_MODEL[:, :2] * (width_px / np.ptp(HEAD_MODEL[:, 0]))
    return (flat @ turn.T + (x, y)).astype(np.float32)


def make_clip(folder: Path) -> Path:
    """FOLDER/data_dst with eight frames: 3 without a face, 5 with two, the rest with one; 16-bit frame 6."""
    rng = np.random.default_rng(2)
    for number in range(1, FRAMES_N + 1):
        frame: Frame = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        if number == 6:
            frame = rng.integers(0, 65536, (HEIGHT, WIDTH, 3), np.uint16)
        name = f"{number:05d}.{'jpg' if number == 2 else 'png'}"
        write_image(folder / "data_dst" / name, frame)
        centers = [] if number == 3 else [60, 145] if number == 5 else [60]
        for index, x in enumerate(centers):
            add_face(folder / "data_dst", name, frame, place_face(x, 55, 30), index)
    return folder / "data_dst"


def add_face(folder: Path, source: str, frame: Frame, landmarks: Points, index: int) -> None:
    """Put a face of a frame into FOLDER/aligned."""
    frame_to_face = crop_transform(landmarks, 96, FaceType.WHOLE)
    meta = FaceMeta(source, frame_to_face, 96, landmarks, FaceType.WHOLE, Side.DST, index, 0.9)
    path = folder / "aligned" / f"{Path(source).stem}_{index}.png"
    write_face(path, cut_crop(frame, frame_to_face, 96), meta)
