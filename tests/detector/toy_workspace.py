"""A finished workspace: frames of a bundled actor whose face was painted over."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import write_face
from faceswap.geometry.geometry import crop_transform
from faceswap.geometry.landmarks import hull_mask
from faceswap.geometry.warp import cut_crop
from faceswap.io.images import write_image, write_mask
from faceswap.media.encode import NOTE, Pictures, encode
from faceswap.media.encoders import choose_film
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.media.timing import Timing
from faceswap.types import FaceType, Points, Side
from faceswap.workspace import Workspace
from tests.detector.toy_set import actor_frames

GREEN = (0, 200, 0)
FPS = 25.0


def paint(frame: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.where(mask[..., None] > 0, np.uint8(GREEN), frame).astype(np.uint8)


def toy_workspace(root: Path, count: int, side_px: int = 512) -> Workspace:
    """`count` frames with one face each, merged frames with a green face, masks and aligned crops."""
    place = Workspace(root)
    for index, (frame, points) in enumerate(actor_frames("b", count), start=1):
        scale = side_px / frame.shape[0]
        small = cv2.resize(frame, (side_px, side_px), interpolation=cv2.INTER_AREA)
        where = ((points + 0.5) * scale - 0.5).astype(np.float32)
        name, mask = f"{index:05d}", hull_mask(where, side_px, side_px)
        write_image(place.frames(Side.DST) / f"{name}.png", small)
        write_image(place.merged / f"{name}.png", paint(small, mask))
        write_mask(place.merged_mask / f"{name}.png", mask)
        add_face(place, name, small, where)
    return place


def add_face(place: Workspace, name: str, frame: NDArray[np.uint8], points: Points, number: int = 0) -> None:
    """One more aligned face of a frame."""
    to_face = crop_transform(points, 64, FaceType.WHOLE)
    meta = FaceMeta(f"{name}.png", to_face, 64, points, FaceType.WHOLE, Side.DST, number, 1.0)
    write_face(place.aligned(Side.DST) / f"{name}_{number}.jpg", cut_crop(frame, to_face, 64), meta)


def encode_folder(folder: Path, target: Path, quality: int = 16, note: str = NOTE, fps: float = FPS) -> None:
    """The pictures of a folder as stages.encode would write them."""
    pictures = sorted(folder.glob("*.png"))
    frames = tuple((path.stem, index / fps) for index, path in enumerate(pictures))
    film = choose_film("h264", ffmpeg_binary(), quality=quality)
    encode(target, Pictures(pictures), Timing(frames, fps, None), film, sound=False, note=note)
