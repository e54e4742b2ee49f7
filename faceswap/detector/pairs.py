"""Swaps that the workbench made, beside the frames they were made from: what is judged, and what hardens.

A finished workspace holds the untouched frames, the merged ones, the merged masks and the faces' landmarks.
Real and swap are cut out by the landmarks of the untouched frame, so that the box tells nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.detector.gather import CROP_PX, FACE_TYPE, QUALITY, Sighting, cut, describe, store
from faceswap.detector.manifest import Item, common_split
from faceswap.errors import UserError
from faceswap.faces.geometry import crop_transform
from faceswap.faceset.store import Faceset, write_face
from faceswap.io.files import list_images, sha256
from faceswap.io.images import read_image, read_mask, write_mask
from faceswap.types import Frame, Mask, Points, Side
from faceswap.workspace import Workspace


class Pair(NamedTuple):
    """One face of one frame: crops (S, S, 3) uint8, mask (S, S), landmarks (68, 2) in frame px."""

    frame: str
    face: int
    real: NDArray[np.uint8]
    fake: NDArray[np.uint8]
    mask: Mask
    landmarks: Points


@dataclass(frozen=True)
class Finished:
    """The frames of a workspace that have a merged counterpart, with the landmarks of their faces."""

    frames: dict[str, Path]
    merged: dict[str, Path]
    masks: dict[str, Path]
    faces: dict[str, list[Points]]

    def pairs(self, every: int = 1) -> Iterator[Pair]:
        """Every `every`-th frame's faces, in the order of frames."""
        for stem in list(self.merged)[::every]:
            real, fake = read_image(self.frames[stem]), read_image(self.merged[stem])
            mask = read_mask(self.masks[stem]) if stem in self.masks else difference_mask(real, fake)
            for index, landmarks in enumerate(self.faces.get(stem, [])):
                yield Pair(
                    stem,
                    index,
                    cut(real, landmarks),
                    cut(fake, landmarks),
                    cut_mask(mask, landmarks),
                    landmarks,
                )


def open_finished(place: Workspace) -> Finished:
    """What can be compared in a workspace; raises UserError where merged frames or faces are missing."""
    merged = {path.stem: path for path in list_images(place.merged)}
    frames = {path.stem: path for path in list_images(place.frames(Side.DST))}
    masks = {path.stem: path for path in list_images(place.merged_mask)}
    if not merged:
        raise UserError(f"no merged frames in {place.merged}", "", "merge first: python -m stages.merge")
    lost = sorted(merged.keys() - frames.keys())
    if lost:
        found = f"first {lost[0]}"
        raise UserError(f"{len(lost)} merged frames have no untouched one", found, "extract dst again")
    by_frame = Faceset.open(place.aligned(Side.DST)).by_frame()
    faces = {stem: [face.meta.landmarks for face in by_frame.get(stem, [])] for stem in merged}
    if not any(faces.values()):
        raise UserError(
            f"no face in {place.aligned(Side.DST)} belongs to a merged frame", "", "align dst again"
        )
    return Finished(frames, merged, masks, faces)


def cut_mask(mask: Mask, landmarks: Points) -> Mask:
    """The mask (H, W) of a frame in the crop of a face."""
    frame_to_face = crop_transform(landmarks, CROP_PX, FACE_TYPE)
    crop: Mask = cv2.warpAffine(mask, frame_to_face, (CROP_PX, CROP_PX), flags=cv2.INTER_LINEAR)
    return crop


def difference_mask(real: Frame, fake: Frame) -> Mask:
    """Where two frames of one size differ by more than noise, smoothed: for merges without masks."""
    if real.shape != fake.shape:
        raise UserError("a merged frame has another size than the untouched one", "", "merge again")
    apart = np.abs(real.astype(np.float32) - fake.astype(np.float32)).max(axis=2) / np.iinfo(real.dtype).max
    smooth = cv2.GaussianBlur(apart, (0, 0), 3)
    mask: Mask = (smooth > 4 / 255).astype(np.float32)
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
        items += _store_pair(folder, pair, finished, origin, split)
    return items


def add_people(folder: Path, finished: Finished, dataset: str, manipulation: str) -> list[Item]:
    """Store swaps whose frames are named PERSON_…, each frame of the person DATASET/PERSON.

    For a model that redraws many people, as a base does: everybody's own face is put in, so there is no
    donor, and each pair belongs to its person's split.
    """
    items: list[Item] = []
    for person in sorted({stem.partition("_")[0] for stem in finished.merged}):
        own = {stem: path for stem, path in finished.merged.items() if stem.partition("_")[0] == person}
        origin = Origin(manipulation, f"{dataset}/{person}", "", f"{person}_{manipulation}", dataset)
        items += add_pairs(folder, replace(finished, merged=own), origin)
    return items


def _store_pair(folder: Path, pair: Pair, finished: Finished, origin: Origin, split: str) -> list[Item]:
    name = f"{origin.video}_{pair.frame}_{pair.face}"
    frame = read_image(finished.frames[pair.frame])
    sighting = Sighting(name, frame, pair.landmarks, origin.identity, origin.video, origin.dataset)
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
