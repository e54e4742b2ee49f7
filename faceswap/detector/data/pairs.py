"""Swaps that the workbench made, beside the frames they were made from: what is judged, and what hardens.

A finished workspace holds the untouched frames, the merged ones, the merged masks and the faces' landmarks.
Real and swap are cut out by the landmarks of the untouched frame, so that the box tells nothing.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.console import command
from faceswap.detector.data.gather import CROP_PX, FACE_TYPE, QUALITY, Sighting, cut, describe, store
from faceswap.detector.data.manifest import Item, common_split
from faceswap.errors import UserError
from faceswap.faceset.store import Faceset, write_face
from faceswap.geometry.geometry import apply_transform, crop_transform
from faceswap.io.files import list_images, natural_order, sha256
from faceswap.io.flow import ordered_map
from faceswap.io.images import DamagedImage, as_uint8, read_image, read_mask, write_mask
from faceswap.types import Frame, Json, Mask, Points, Side
from faceswap.workspace import Workspace

# Of the frames that a report shows.
SMALL_PX = 320
# Levels of 255 by which pixels differ that nobody changed: rounding, and merging at another bit depth.
_NOISE = 4
READERS = os.cpu_count() or 1


class Pair(NamedTuple):
    """One face of one frame: crops (S, S, 3) uint8, mask (S, S), landmarks (68, 2) in frame px."""

    frame: str
    face: int
    real: NDArray[np.uint8]
    fake: NDArray[np.uint8]
    mask: Mask
    landmarks: Points

    @property
    def crop_landmarks(self) -> Points:
        """The landmarks in px of the crops."""
        to_crop = crop_transform(self.landmarks, CROP_PX, FACE_TYPE)
        return apply_transform(to_crop, self.landmarks).astype(np.float32)


class Seen(NamedTuple):
    """What is in one frame: its faces, largest first, or why it could not be read.

    small: the finished frame, at most SMALL_PX wide and high, and `scale` its size in that of the frame.
    """

    frame: str
    pairs: list[Pair]
    damage: str = ""
    small: NDArray[np.uint8] | None = None
    scale: float = 1.0


class Comparison(Protocol):
    """Finished frames beside untouched ones."""

    def seen(self, every: int = 1) -> Iterator[Seen]:
        """Every `every`-th frame that there are both of, in order."""

    def count(self, every: int = 1) -> tuple[int, int]:
        """How many frames `seen` will give, and how many faces, if none is damaged."""

    def describe(self) -> Json:
        """What is compared with what; see findings.Compared."""


@dataclass(frozen=True)
class Finished:
    """The frames of a workspace that have a merged counterpart, with the landmarks of their faces.

    frames, merged and masks are files by the frame's stem; there may be frames without a mask.
    """

    frames: dict[str, Path]
    merged: dict[str, Path]
    masks: dict[str, Path]
    faces: dict[str, list[Points]]

    def pairs(self, every: int = 1) -> Iterator[Pair]:
        """The faces of every `every`-th frame, in the order of frames; damaged frames are passed over."""
        for seen in self.seen(every):
            yield from seen.pairs

    def seen(self, every: int = 1) -> Iterator[Seen]:
        return ordered_map(self._look, list(self.merged)[::every], READERS)

    def count(self, every: int = 1) -> tuple[int, int]:
        stems = list(self.merged)[::every]
        return len(stems), sum(len(self.faces.get(stem, [])) for stem in stems)

    def describe(self) -> Json:
        return {"kind": "frames", "untouched": len(self.frames), "finished": len(self.merged)}

    def _look(self, stem: str) -> Seen:
        try:
            real, fake = read_image(self.frames[stem]), read_image(self.merged[stem])
            return look(stem, real, fake, self.masks.get(stem), self.faces.get(stem, []))
        except DamagedImage as error:
            return Seen(stem, [], f"{error.path.name}: {error.reason}")


def look(stem: str, real: Frame, fake: Frame, mask_file: Path | None, faces: list[Points]) -> Seen:
    """The faces of an untouched and a finished frame, cut out alike.

    Without a file of it, the mask is where the frames differ. Raises DamagedImage for a damaged mask, and
    UserError for pictures of different sizes.
    """
    real, fake = as_uint8(real), as_uint8(fake)
    mask = read_mask(mask_file) if mask_file else difference_mask(real, fake)
    if not real.shape[:2] == fake.shape[:2] == mask.shape:
        sizes = ", ".join(f"{p.shape[1]}x{p.shape[0]}" for p in (real, fake, mask))
        raise UserError(f"frame {stem}, its swap and its mask differ in size", sizes, "merge again")
    pairs = [
        Pair(stem, index, cut(real, points), cut(fake, points), cut_mask(mask, points), points)
        for index, points in enumerate(faces)
    ]
    scale = min(1.0, SMALL_PX / max(fake.shape[:2]))
    size = (max(1, round(fake.shape[1] * scale)), max(1, round(fake.shape[0] * scale)))
    return Seen(stem, pairs, "", as_uint8(cv2.resize(fake, size, interpolation=cv2.INTER_AREA)), scale)


def open_finished(place: Workspace) -> Finished:
    """What can be compared in a workspace; raises UserError where merged frames or faces are missing."""
    merged = {path.stem: path for path in list_images(place.merged)}
    if not merged:
        hint = f"merge first: {command('stages.merge', '--workspace', place.root)}"
        raise UserError(f"no merged frames in {place.merged}", "", hint)
    frames, faces = untouched(place)
    masks = {path.stem: path for path in list_images(place.merged_mask)}
    lost = sorted(merged.keys() - frames.keys(), key=natural_order)
    if lost:
        found = f"first {lost[0]}"
        raise UserError(f"{len(lost)} merged frames have no untouched one", found, "extract dst again")
    require_faces(place, faces, merged)
    return Finished(frames, merged, masks, faces)


def untouched(place: Workspace) -> tuple[dict[str, Path], dict[str, list[Points]]]:
    """The destination's frames, and the landmarks of the faces in them, by stem."""
    frames = {path.stem: path for path in list_images(place.frames(Side.DST))}
    by_frame = Faceset.open(place.aligned(Side.DST)).by_frame()
    return frames, {stem: [face.meta.landmarks for face in faces] for stem, faces in by_frame.items()}


def require_faces(place: Workspace, faces: Mapping[str, object], stems: Iterable[str]) -> None:
    """Raise UserError where none of the frames has a face."""
    if not faces.keys() & set(stems):
        aligned, hint = place.aligned(Side.DST), command("stages.align_dst", "--workspace", place.root)
        raise UserError(f"no face in {aligned} belongs to a finished frame", "", f"align again: {hint}")


def cut_mask(mask: Mask, landmarks: Points) -> Mask:
    """The mask (H, W) of a frame in the crop of a face."""
    frame_to_face = crop_transform(landmarks, CROP_PX, FACE_TYPE)
    crop: Mask = cv2.warpAffine(mask, frame_to_face, (CROP_PX, CROP_PX), flags=cv2.INTER_LINEAR)
    return crop


def difference_mask(real: NDArray[np.uint8], fake: NDArray[np.uint8]) -> Mask:
    """Where two frames (H, W, 3) differ by more than noise, smoothed: for merges without masks.

    Noise is what a quarter of the frame, the most alike, differs by at most: a codec changes every pixel.
    """
    if real.shape != fake.shape:
        raise UserError("a finished frame has another size than the untouched one", "", "merge again")
    smooth = cv2.GaussianBlur(cv2.absdiff(real, fake).max(axis=2).astype(np.float32), (0, 0), 3)
    mask: Mask = (smooth > max(_NOISE, 3 * float(np.quantile(smooth, 0.25)))).astype(np.float32)
    return mask


@dataclass(frozen=True)
class Origin:
    """Whose frames, whose face, and how a workspace's swaps are called in a set."""

    manipulation: str
    identity: str
    donor: str
    video: str
    dataset: str


def add_pairs(folder: Path, finished: Finished, origin: Origin, every: int = 1) -> list[Item]:
    """Store the pairs of a workspace in the set `folder`; returns the rows of reals and fakes.

    Raises UserError when the two people belong to different splits: such a swap could only leak.
    """
    split = common_split(origin.identity, origin.donor)
    if split is None:
        raise UserError(
            f"{origin.identity} and {origin.donor} belong to different splits",
            "a swap between them would show people of one split in another",
            "swap other people, or name them otherwise",
        )
    items: list[Item] = []
    for pair in finished.pairs(every):
        items += _store_pair(folder, pair, origin, split)
    return items


def _store_pair(folder: Path, pair: Pair, origin: Origin, split: str) -> list[Item]:
    name = f"{origin.video}_{pair.frame}_{pair.face}"
    sighting = Sighting(name, pair.real, pair.landmarks, origin.identity, origin.video, origin.dataset)
    real = store(folder, f"real/{origin.dataset}/{name}.jpg", sighting)
    fake = f"fake/{origin.manipulation}/{name}.jpg"
    mask = f"fake/{origin.manipulation}/{name}_mask.png"
    # The same file format, quality and metadata as the real one.
    (folder / fake).parent.mkdir(parents=True, exist_ok=True)
    write_face(folder / fake, pair.fake, describe(sighting), QUALITY)
    write_mask(folder / mask, pair.mask)
    made = Item(
        file=fake, sha256=sha256(folder / fake), label="fake", identity=origin.identity, video=origin.video,
        dataset=origin.dataset, licence=real.licence, split=split, manipulation=origin.manipulation,
        donor=origin.donor, twin=real.file, mask=mask,
    )  # fmt: skip
    return [real, made]
