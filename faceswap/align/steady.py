"""Smoothing the landmarks of a faceset along time, and its crops cut anew from them.

Every face keeps the landmarks that alignment found beside the smoothed ones, and smoothing starts from
those: what a face should be follows from all faces' found landmarks alone. A face that is not so yet is
cut again, one that is so is left alone, hence stopping at any moment, continuing and repeating need no
bookkeeping, and `--no-smooth` is the same work with another aim. Landmarks of a whole film are small and
held in memory, frames are read one at a time.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.console import progress_bar, say, warn
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import Face, Faceset, write_face
from faceswap.geometry.geometry import crop_transform
from faceswap.geometry.smoothing import jitter, smooth_track
from faceswap.geometry.tracks import link_faces, with_gaps
from faceswap.geometry.warp import cut_crop
from faceswap.io.flow import ordered_map
from faceswap.io.images import as_uint8, read_image
from faceswap.types import Json, Points


def steady(faceset: Faceset, frames: Sequence[Path], smooth: bool | None, quality: int, workers: int) -> Json:
    """Smooth the faces along `frames` (all, in order of time), or take it back; None leaves it as it was.

    Crops whose landmarks change are written anew, but those with drawn polygons, which lie in the crop's
    pixels. quality: JPEG, 1 … 100. Returns {"landmark_jitter": …} with figures before and after, which are
    said in words, too, or {} where nothing is smoothed.
    """
    is_smooth = any(face.meta.found_landmarks is not None for face in faceset.faces)
    smooth = is_smooth if smooth is None else smooth
    if not smooth and not is_smooth:
        return {}
    tracks = _tracks(faceset, frames)
    found = [np.stack([found_landmarks(face.meta) for face in track]) for track in tracks]
    aims = [smooth_track(track) for track in found] if smooth else found
    pairs = [pair for track, aim in zip(tracks, aims, strict=True) for pair in zip(track, aim, strict=True)]
    moving = [(face, aim) for face, aim in pairs if not np.array_equal(face.meta.landmarks, aim)]
    free = [(face, aim) for face, aim in moving if not face.meta.polygons]
    if len(free) < len(moving):
        warn(f"{len(moving) - len(free)} faces with a drawn mask stay as they are: it must not slip off them")
    if free:
        _recut(free, frames, quality, workers, "smooth" if smooth else "unsmooth")
        # Opening writes the index anew, from which stripped metadata would be restored.
        Faceset.open(faceset.folder)
    return _tell(found, aims) if smooth else {}


def found_landmarks(meta: FaceMeta) -> Points:
    """(68, 2) landmarks of a face as alignment found them, before smoothing."""
    return meta.landmarks if meta.found_landmarks is None else meta.found_landmarks


def _tracks(faceset: Faceset, frames: Sequence[Path]) -> list[list[Face]]:
    """The faces of each track, in order of time; faces whose frame is gone are in none."""
    by_frame = faceset.by_frame()
    in_time = [by_frame.get(name, []) if name else [] for name in with_gaps([path.stem for path in frames])]
    tracks = link_faces([[found_landmarks(face.meta) for face in faces] for faces in in_time])
    return [[in_time[position][index] for position, index in track] for track in tracks]


def _recut(
    wanted: Sequence[tuple[Face, Points]], frames: Sequence[Path], quality: int, workers: int, label: str
) -> None:
    by_stem: dict[str, list[tuple[Face, Points]]] = {}
    for face, landmarks in wanted:
        by_stem.setdefault(Path(face.meta.source).stem, []).append((face, landmarks))
    todo = [(path, by_stem[path.stem]) for path in frames if path.stem in by_stem]
    with progress_bar(label, "frames", len(todo)) as bar:
        for _ in ordered_map(lambda item: _recut_frame(*item, quality), todo, workers):
            bar.update()


def _recut_frame(path: Path, faces: Sequence[tuple[Face, Points]], quality: int) -> None:
    frame = read_image(path)
    for face, landmarks in faces:
        meta = _moved(face.meta, landmarks)
        source = frame if face.path.suffix == ".png" else as_uint8(frame)
        write_face(face.path, cut_crop(source, meta.frame_to_face, meta.size_px), meta, quality)


def _moved(meta: FaceMeta, landmarks: Points) -> FaceMeta:
    """The face with other landmarks and the crop that belongs to them, and the found ones kept beside."""
    found = found_landmarks(meta)
    kept = None if np.array_equal(found, landmarks) else found
    to_face = crop_transform(landmarks, meta.size_px, meta.face_type)
    return replace(meta, landmarks=landmarks, frame_to_face=to_face, found_landmarks=kept)


def _tell(found: Sequence[NDArray[np.float32]], smoothed: Sequence[NDArray[np.float32]]) -> Json:
    before, after = jitter(found), jitter(smoothed)
    long = [track for track in found if len(track) >= 3]
    if before is None or after is None:
        say("no face could be followed through three consecutive frames; nothing was smoothed")
        return {}
    say(
        f"smoothed {sum(map(len, long))} faces in {len(long)} tracks: landmarks tremble by {after:.2%} of "
        f"the distance between the eyes, before by {before:.2%} (median second difference)"
    )
    return {"landmark_jitter": {"before": round(before, 6), "after": round(after, 6), "tracks": len(long)}}
