"""The synthetic stills as a faceset, aligned by their truth: what a base model is trained on."""

from pathlib import Path

from faceswap.console import progress
from faceswap.facepack.labels import Labelled, stills
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import write_face
from faceswap.geometry.geometry import crop_transform
from faceswap.geometry.warp import cut_crop
from faceswap.types import FaceType, Side

CROP_PX = 256


def write_stills(data: Path, folder: Path) -> int:
    """Write every still as a whole-face crop of CROP_PX; returns how many. Faces there are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for still in progress(stills(data), "stills", "faces"):
        _write(still, folder)
        count += 1
    return count


def _write(still: Labelled, folder: Path) -> None:
    frame_to_face = crop_transform(still.points, CROP_PX, FaceType.WHOLE)
    meta = FaceMeta(
        source=f"{still.name}.jpg",
        frame_to_face=frame_to_face,
        size_px=CROP_PX,
        landmarks=still.points,
        face_type=FaceType.WHOLE,
        side=Side.SRC,
        index=0,
        score=1.0,
    )
    write_face(folder / f"{still.name}_0.jpg", cut_crop(still.picture, frame_to_face, CROP_PX), meta)
