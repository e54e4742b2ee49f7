"""From frames on disk to crops on disk: each frame is read, analysed, cut, written and logged by one thread.

OpenCV and onnxruntime release Python's lock, so while one thread decodes another computes and a third
writes; a whole frame per thread needs no queues between steps, and memory holds a few frames a thread.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from faceswap.align.analysis import FaceAnalyzer, FoundFace
from faceswap.align.debug import draw_faces
from faceswap.errors import is_general
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import write_face
from faceswap.geometry.geometry import crop_transform
from faceswap.geometry.warp import cut_crop
from faceswap.io.documents import Count, FileName, read_lines
from faceswap.io.files import natural_order
from faceswap.io.flow import ordered_map
from faceswap.io.images import DamagedImage, as_uint8, read_image, write_image
from faceswap.types import FaceType, Json, Side, Transform

_DEBUG_QUALITY = 50
# A crop of this many times the box's area shows that the landmarks went astray (deepfacelab.md §5.3, step 5).
_MOST_AREA = 4.0


@dataclass(frozen=True)
class CropStyle:
    """How crops are cut and written. suffix: ".jpg" or ".png"; 16-bit frames stay so only in PNG."""

    side: Side
    face_type: FaceType = FaceType.WHOLE
    size_px: int = 512
    suffix: str = ".jpg"
    quality: int = 95


@dataclass(frozen=True)
class FrameResult:
    """What became of one frame: its name, file size, number of crops, or why it could not be read."""

    frame: FileName
    bytes: Count
    faces: Count = 0
    damaged: str = ""


def align_frames(
    frames: Sequence[Path],
    aligned: Path,
    analyst: FaceAnalyzer,
    style: CropStyle,
    workers: int,
    debug: Path | None = None,
) -> Iterator[FrameResult]:
    """Cut the faces of `frames` into `aligned`, yielding results in the frames' order.

    Crops are called `<frame stem>_<k>`, k = 0 for the largest face. debug: folder for frames with faces
    drawn in. Damaged frames are reported, not raised; what the disk refuses is raised as OSError.
    """
    return ordered_map(lambda frame: _align_frame(frame, aligned, analyst, style, debug), frames, workers)


def _align_frame(
    path: Path, aligned: Path, analyst: FaceAnalyzer, style: CropStyle, debug: Path | None
) -> FrameResult:
    size = 0
    try:
        size = path.stat().st_size
        frame = read_image(path)
    except DamagedImage as error:
        return FrameResult(path.name, size, damaged=error.reason)
    except OSError as error:
        if is_general(error):
            raise
        return FrameResult(path.name, size, damaged=f"it cannot be read ({error.strerror})")
    kept = []
    for face in analyst.find(frame):
        frame_to_face = crop_transform(face.landmarks, style.size_px, style.face_type)
        if _is_sane(face, frame_to_face, style):
            kept.append((face, frame_to_face))
    source = as_uint8(frame) if style.suffix != ".png" else frame
    for index, (face, frame_to_face) in enumerate(kept):
        crop = cut_crop(source, frame_to_face, style.size_px)
        meta = FaceMeta(
            source=path.name,
            frame_to_face=frame_to_face,
            size_px=style.size_px,
            landmarks=face.landmarks,
            face_type=style.face_type,
            side=style.side,
            index=index,
            score=round(face.score, 4),
            embedding=face.embedding,
        )
        write_face(aligned / f"{path.stem}_{index}{style.suffix}", crop, meta, style.quality)
    if debug is not None:
        drawn = draw_faces(as_uint8(frame), kept, style.size_px)
        write_image(debug / f"{path.stem}.jpg", drawn, _DEBUG_QUALITY)
    return FrameResult(path.name, size, len(kept))


def _is_sane(face: FoundFace, frame_to_face: Transform, style: CropStyle) -> bool:
    """DFL's check of half to full crops; larger types reach far beyond the box by design."""
    if style.face_type.rank > FaceType.FULL.rank:
        return True
    area = style.size_px**2 / abs(float(np.linalg.det(frame_to_face[:, :2])))
    return area <= _MOST_AREA * float(np.prod(face.box[2:] - face.box[:2]))


LOG_NAME = "align.jsonl"


class AlignLog:
    """The log of a faceset's folder. A frame killed half-way has no line and is done again."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOG_NAME
        self.results = {result.frame: result for result in read_lines(self._path, FrameResult)}
        # A line that a kill cut off must not swallow the next one.
        self._torn = self._path.is_file() and self._path.read_bytes()[-1:] not in (b"", b"\n")

    def append(self, result: FrameResult) -> None:
        """Note one frame; the line is in the file when this returns."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("\n" if self._torn else "") + json.dumps(asdict(result), ensure_ascii=False) + "\n")
        self._torn = False
        self.results[result.frame] = result

    def pending(self, frames: list[Path]) -> list[Path]:
        """Frames still to do: those without a line, and damaged ones whose file is another by now."""
        return [path for path in frames if self._needs_work(path)]

    def changed(self, frames: list[Path]) -> list[str]:
        """Names of aligned frames whose files have another size by now: their faces are of other pictures."""
        known = self.results
        return [
            path.name
            for path in frames
            if path.name in known
            and not known[path.name].damaged
            and known[path.name].bytes != path.stat().st_size
        ]

    def _needs_work(self, path: Path) -> bool:
        known = self.results.get(path.name)
        return known is None or (bool(known.damaged) and known.bytes != path.stat().st_size)

    def summary(self) -> Json:
        """Counts, and the names of frames without a face and of damaged ones."""
        results = self.results.values()
        return {
            "frames": len(results),
            "faces": sum(result.faces for result in results),
            "without_face": sorted(
                (r.frame for r in results if not r.faces and not r.damaged), key=natural_order
            ),
            "damaged": {r.frame: r.damaged for r in results if r.damaged},
        }
