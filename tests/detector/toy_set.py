"""A small set of real crops for the detector's tests: the synthetic actors under many names."""

import json
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from faceswap.detector.data.gather import Sighting, cut, store
from faceswap.detector.data.manifest import Item, split_of, write_manifest
from faceswap.detector.network.model import DetectorSpec
from faceswap.types import Points
from faceswap.workspace import assets

PEOPLE_A_SPLIT = 3
# The smallest detector that has all parts.
SPEC = DetectorSpec(input_px=32, patch_px=8, hidden=24, layers=2, heads=3)


def actor_frames(which: str, count: int) -> list[tuple[NDArray[np.uint8], Points]]:
    """Frames of a bundled actor spread over the clip, with their true landmarks."""
    truth = json.loads((assets() / "demo" / f"actor_{which}.json").read_text(encoding="utf-8"))["frames"]
    found = []
    with av.open(str(assets() / "demo" / f"actor_{which}.mp4")) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % (len(truth) // count) == 0 and len(found) < count:
                # The files count from the pixel's corner, we from its centre.
                points = np.array(truth[index]["landmarks68"], np.float32) - 0.5
                found.append((frame.to_ndarray(format="rgb24"), points))
    return found


def people(split: str, count: int) -> list[str]:
    """Names that belong to a split."""
    return [name for name in (f"toy/{n}" for n in range(1000)) if split_of(name) == split][:count]


def gather_toys(folder: Path) -> list[Item]:
    """Three people in every split with two crops each, and their manifest."""
    frames = {which: actor_frames(which, 9) for which in "ab"}
    items = []
    for at, split in enumerate(("train", "val", "test")):
        for index, person in enumerate(people(split, PEOPLE_A_SPLIT)):
            for number, which in enumerate("ab"):
                frame, points = frames[which][3 * at + index]
                name = f"{person.replace('/', '_')}_{number}"
                sighting = Sighting(name, cut(frame, points), points, person, name, "toy")
                items.append(store(folder, f"real/toy/{name}.jpg", sighting))
    write_manifest(folder, items)
    return items
