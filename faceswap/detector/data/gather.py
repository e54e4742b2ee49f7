"""Real crops for the detector from the collections of the data folder, with who is seen and on what terms.

Everything is stored once, alike: full-face crops of CROP_PX, JPEG of one quality, so that no file format,
size or history of resampling goes with a label.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.packs import load_pack
from faceswap.console import progress, say
from faceswap.detector.data.manifest import (
    NAME,
    Item,
    difference_hash,
    near,
    read_manifest,
    split_of,
    write_manifest,
)
from faceswap.errors import UserError
from faceswap.facepack import labels
from faceswap.facepack.exams import frames
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import write_face
from faceswap.geometry.geometry import crop_transform
from faceswap.geometry.warp import cut_crop
from faceswap.io.files import sha256
from faceswap.io.images import as_uint8, read_image
from faceswap.media.probe.video import probe
from faceswap.types import FaceType, Frame, Points, Side

CROP_PX = 160
QUALITY = 95
# The face fills the crop and its border stays visible: a whole-face crop has half as many pixels of face.
FACE_TYPE = FaceType.FULL
# LFW has up to 500 pictures of one person.
MOST_OF_A_PERSON = 8
FRAMES_OF_A_CLIP = 60
# The only clips that may train the detector (the data folder's README).
TRAINING_CLIPS = (
    "man_c_glasses", "man_d", "woman_c_expressive", "man_g_glasses", "actress_256", "actor_256",
    "woman_expressions_256",
)  # fmt: skip
LICENCES = {
    "stills": "synthetic, MIT geometry",
    "3dsk": "CC BY 4.0, educational/research use",
    "canada": "CC BY 4.0",
    "frontal02": "academic, research use",
    "multipose01": "academic, research use",
    "lfw_gray": "LFW, research use",
    "clips": "third-party footage, research use",
}


@dataclass(frozen=True, eq=False)
class Sighting:
    """A real face: its crop (see `cut`), (68, 2) landmarks in px of its frame, and whose it is."""

    name: str
    crop: NDArray[np.uint8]
    landmarks: Points
    identity: str
    video: str
    dataset: str


def gather(data: Path, folder: Path) -> list[Item]:
    """Write the real crops of every collection in `data` to the set `folder`; returns all its rows.

    Crops that are there already are kept. Raises UserError when `data` holds none of the collections.
    """
    items = {item.file: item for item in read_manifest(folder)} if (folder / NAME).is_file() else {}
    analyst = FaceAnalyzer(load_pack("bundled", threads=2), max_faces=1)
    sources = [stills(data), photographs(data, analyst), clips(data / "clips", analyst)]
    for sighting in progress(chain.from_iterable(sources), "gather", "faces"):
        file = f"real/{sighting.dataset}/{sighting.name}.jpg"
        if file not in items:
            items[file] = store(folder, file, sighting)
    if not items:
        raise UserError(f"no known collection in {data}", "", "name the folder that holds actors/, …")
    rows = without_twins(folder, list(items.values()))
    write_manifest(folder, rows)
    for split, count in sorted(Counter(item.split for item in rows).items()):
        people = len({item.identity for item in rows if item.split == split})
        say(f"{split}: {count} crops of {people} people")
    return rows


def without_twins(folder: Path, rows: list[Item]) -> list[Item]:
    """The rows less the validation and test crops that show what a training crop shows, and their fakes."""
    reals = [item for item in rows if not item.is_fake]
    hashes = np.array([difference_hash(as_uint8(read_image(folder / item.file))) for item in reals])
    train = np.array([item.split == "train" for item in reals])
    others = np.flatnonzero(~train)
    twins = {reals[others[index]].file for index, _ in near(hashes[others], hashes[train]).tolist()}
    if twins:
        say(f"{len(twins)} crops look like a training crop and are left out, first {min(twins)}")
    return [item for item in rows if not {item.file, item.twin} & twins]


def store(folder: Path, file: str, sighting: Sighting) -> Item:
    """Write a sighting's crop and return its row."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    write_face(folder / file, sighting.crop, describe(sighting), QUALITY)
    return Item(
        file=file,
        sha256=sha256(folder / file),
        label="real",
        identity=sighting.identity,
        video=sighting.video,
        dataset=sighting.dataset,
        licence=LICENCES.get(sighting.dataset, "user's own"),
        split=split_of(sighting.identity),
    )


def cut(frame: Frame, landmarks: Points) -> NDArray[np.uint8]:
    """The crop (CROP_PX, CROP_PX, 3) uint8 that the detector judges."""
    return as_uint8(cut_crop(frame, crop_transform(landmarks, CROP_PX, FACE_TYPE), CROP_PX))


def describe(sighting: Sighting) -> FaceMeta:
    """The metadata of a sighting's crop."""
    return FaceMeta(
        source=f"{sighting.name}.png",
        frame_to_face=crop_transform(sighting.landmarks, CROP_PX, FACE_TYPE),
        size_px=CROP_PX,
        landmarks=sighting.landmarks,
        face_type=FACE_TYPE,
        side=Side.DST,
        index=0,
        score=1.0,
    )


def stills(data: Path) -> Iterator[Sighting]:
    """Synthetic faces with their rendered points."""
    for face in labels.stills(data):
        person = f"stills/{face.name.split('_')[0]}"
        crop = cut(face.picture, face.points)
        yield Sighting(face.name, crop, face.points, person, face.name, "stills")


def photographs(data: Path, analyst: FaceAnalyzer) -> Iterator[Sighting]:
    """Studio portraits and press photographs, aligned as the workbench aligns; few of each person."""
    count: Counter[str] = Counter()
    patterns = ("landmarked/*/*.jpg", "segmented/*/train/rgb/*.png", "lfw_gray/*.jpg")
    for path in chain.from_iterable(sorted(data.glob(pattern)) for pattern in patterns):
        dataset, person = _who(path)
        if count[person] == MOST_OF_A_PERSON:
            continue
        frame = as_uint8(read_image(path))
        # LFW's crops are so tight that the finder needs room around them.
        margin_px = frame.shape[1] // 2 if dataset == "lfw_gray" else 0
        roomy = np.pad(frame, ((margin_px, margin_px), (margin_px, margin_px), (0, 0)), "edge")
        for face in analyst.find(roomy):
            count[person] += 1
            name, points = f"{dataset}_{path.stem}", face.landmarks - margin_px
            yield Sighting(name, cut(frame, points), points, person, path.stem, dataset)


def clips(folder: Path, analyst: FaceAnalyzer) -> Iterator[Sighting]:
    """Frames spread over the clips that may train."""
    for name in TRAINING_CLIPS:
        for path in sorted(folder.glob(f"{name}.*")):
            step = max(1, probe(path).frames // FRAMES_OF_A_CLIP)
            for index, frame in enumerate(islice(frames(path), 0, None, step)):
                for face in analyst.find(frame):
                    sighted, crop = f"{name}_{index:03d}", cut(frame, face.landmarks)
                    yield Sighting(sighted, crop, face.landmarks, f"clips/{name}", name, "clips")


def _who(path: Path) -> tuple[str, str]:
    """Collection and person of a photograph, from how each collection names its files."""
    if path.parent.name == "lfw_gray":
        return "lfw_gray", f"lfw_gray/{path.stem.rpartition('_')[0]}"
    person = re.search(r"personne(\d\d)", path.stem)
    if person:
        return "multipose01", f"multipose01/{person[1]}"
    collection = "frontal02" if path.parent.name == "rgb" else path.parent.name
    return collection, f"{collection}/{path.stem}"
