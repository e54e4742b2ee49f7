"""Labelled face pictures for training: truth where it exists, teachers' points elsewhere.

Every source becomes `Labelled` records; `weight` is 0 for points nobody labelled and below 1 where
the label is known to be less exact (FaceMesh's brows, a jaw seen from the side).
"""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.augment.pictures import Picture, decode_picture, read_picture, resize
from faceswap.facepack.teachers import Teachers
from faceswap.geometry.landmarks import (
    BROWS,
    EYES,
    JAW,
    LIPS,
    MESH_POINTS,
    NOSE_BASE,
    NOSE_RIDGE,
    POINTS_N,
    five_points,
    outer_eye_distance,
)  # fmt: skip
from faceswap.io.documents import parse, read_json
from faceswap.types import Points

HELD_BACK_N = {"3dsk": 17, "canada": 3}
HELD_BACK_SEED = 68
TALLEST_PX = 400


@dataclass(frozen=True)
class Labelled:
    """One face: (H, W, 3) or grey (H, W, 1) uint8, (68, 2) points in its px, (68,) weights in [0, 1]."""

    source: str
    name: str
    picture: Picture
    points: Points
    weight: NDArray[np.float32]


def all_faces(data: Path) -> Iterator[Labelled]:
    """Every face that may train: actors' stills, landmarked less the held-back people, segmented, LFW."""
    teachers = Teachers(data / "teachers")
    yield from stills(data)
    yield from landmarked(data, teachers, held_back=False)
    yield from segmented(data, teachers)
    yield from grey(data, teachers)


def stills(data: Path) -> Iterator[Labelled]:
    """Synthetic faces; their truth counts from the pixel's corner, ours from its centre."""
    with zipfile.ZipFile(data / "actors" / "stills.zip") as archive:
        for item in parse(archive.read("landmarks.json"))["items"]:
            name = f"img/{item['file']}.jpg"
            picture = decode_picture(archive.read(name), name)
            weight = np.ones(POINTS_N, np.float32)
            # Jaw truth follows the bone: where it faces away it lies inside the visible outline.
            weight[JAW] = np.where(np.array(item["facing"])[JAW] > 0, 0.7, 0.2)
            points = np.array(item["landmarks68"], np.float32) - 0.5
            yield Labelled("stills", item["file"], picture, points, weight)


def held_back_people(data: Path) -> set[str]:
    """The 20 names of `landmarked` kept for measuring, drawn once from a fixed seed, per collection."""
    random = np.random.default_rng(HELD_BACK_SEED)
    chosen: set[str] = set()
    for folder, count in HELD_BACK_N.items():
        names = sorted(path.stem for path in (data / "landmarked" / folder).glob("*.json"))
        chosen |= {f"{folder}/{names[i]}" for i in random.choice(len(names), count, replace=False)}
    return chosen


def portraits(data: Path, held_back: bool) -> Iterator[tuple[str, Picture, Points]]:
    """Studio portraits that may train, or those held back: name, picture, its (189, 2) hand-placed points."""
    wanted = held_back_people(data)
    for path in sorted((data / "landmarked").glob("*/*.json")):
        name = f"{path.parent.name}/{path.stem}"
        if (name in wanted) == held_back:
            hand = read_json(path)["points_189"]
            yield name, read_picture(path.with_suffix(".jpg")), np.array(hand, np.float32)


def landmarked(data: Path, teachers: Teachers, held_back: bool) -> Iterator[Labelled]:
    """Studio portraits with hand-placed points; points without a counterpart come from FaceMesh."""
    table = frl_table(data)["ibug68_to_frl189"]
    for name, whole, hand in portraits(data, held_back):
        picture, scale = _shrunk(whole)
        points, weight = hand_points(hand * scale, table)
        face = _from_teachers(picture, teachers)
        if face is not None:
            missing = (weight == 0) & (face[1] > 0)
            points[missing], weight[missing] = face[0][missing], 0.5 * face[1][missing]
        yield Labelled("landmarked", name, picture, points, weight)


def hand_points(hand: Points, counterpart: dict[str, int]) -> tuple[Points, NDArray[np.float32]]:
    """(189, 2) hand-placed points to (68, 2) and weights; the jaw is resampled from the outline."""
    points = np.zeros((POINTS_N, 2), np.float32)
    weight = np.zeros(POINTS_N, np.float32)
    for ours, theirs in counterpart.items():
        points[int(ours)], weight[int(ours)] = hand[theirs], 1.0
    weight[BROWS] = 0.7
    points[JAW], weight[JAW] = _jaw(hand, (points[36] + points[45]) / 2), 0.5
    return points, weight


_LEFT_OUTLINE = (109, 185, 110, 186, 111, 125, 126, 127, 128, 129)
_RIGHT_OUTLINE = (112, 187, 113, 188, 114, 133, 132, 131, 130, 129)


def _jaw(hand: Points, eyes: Points) -> Points:
    """Nine points a side, equally spaced along the outline from the eyes' height to the chin."""
    halves = []
    for outline in (_LEFT_OUTLINE, _RIGHT_OUTLINE):
        curve = _resample(hand[list(outline)], 400)
        below = curve[curve[:, 1] >= eyes[1]]
        halves.append(_resample(below, 9))
    return np.concatenate([halves[0], halves[1][-2::-1]]).astype(np.float32)


def _resample(curve: Points, count: int) -> Points:
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, curve[:, axis]) for axis in (0, 1)], 1).astype(np.float32)


def segmented(data: Path, teachers: Teachers) -> Iterator[Labelled]:
    """Frontal and turned portraits, labelled by the teachers."""
    for path in sorted((data / "segmented").glob("*/train/rgb/*.png")):
        picture, _ = _shrunk(read_picture(path))
        face = _from_teachers(picture, teachers)
        if face is not None:
            yield Labelled("segmented", re.sub(r"\W+", "_", path.stem), picture, *face)


def grey(data: Path, teachers: Teachers, margin_px: int = 160) -> Iterator[Labelled]:
    """LFW's tight grey crops, labelled on a canvas wide enough for the box teachers."""
    for path in sorted((data / "lfw_gray").glob("*.jpg")):
        picture = read_picture(path)
        canvas = np.pad(picture, ((margin_px, margin_px), (margin_px, margin_px), (0, 0)))
        face = _from_teachers(canvas, teachers)
        if face is not None:
            yield Labelled("grey", path.stem, picture[..., :1].copy(), face[0] - margin_px, face[1])


def _from_teachers(picture: Picture, teachers: Teachers) -> tuple[Points, NDArray[np.float32]] | None:
    """Points and weights where both box teachers and FaceMesh tell the same story, else None."""
    found = teachers.agreed(picture)
    if len(found.boxes) == 0:
        return None
    five = found.five[np.argmax((found.boxes[:, 2:] - found.boxes[:, :2]).prod(1))]
    points = teachers.mesh(picture, five)
    # The nose tip is compared nowhere: the two models mean different spots.
    apart = np.linalg.norm((five_points(points) - five)[[0, 1, 3, 4]], axis=1).mean()
    if not apart < 0.12 * outer_eye_distance(points):
        return None
    weight = np.zeros(POINTS_N, np.float32)
    weight[MESH_POINTS] = 1.0
    weight[BROWS], weight[NOSE_BASE], weight[NOSE_RIDGE] = 0.5, 0.6, 0.4
    return np.nan_to_num(points), weight


def hand_exact(data: Path) -> NDArray[np.int64]:
    """The hand-placed points among eyes and lips (36–67) that have an exact counterpart."""
    exact = set(frl_table(data)["exact"])
    return np.array([index for index in (*EYES, *LIPS) if int(index) in exact], np.int64)


def frl_table(data: Path) -> Any:
    """The delivered JSON that maps the 189 hand-placed points of `landmarked`."""
    return read_json(data / "landmarked" / "FRL189_to_ibug68.json")


def _shrunk(picture: Picture) -> tuple[Picture, float]:
    scale = min(1.0, TALLEST_PX / picture.shape[0])
    # Corner-aligned resizing moves pixel centres by less than half a pixel; the labels are no finer.
    return resize(picture, round(picture.shape[1] * scale), round(picture.shape[0] * scale)), scale
