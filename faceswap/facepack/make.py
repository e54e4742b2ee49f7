"""From data to a model file: what the pack learns, labelled once, trained, exported whenever it is saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from faceswap.augment.backgrounds import load_photographs
from faceswap.console import progress, say
from faceswap.facepack.anchors import assign, encode, lay_anchors
from faceswap.facepack.cache import FaceCache, read_cache, write_cache
from faceswap.facepack.crops import CropMaker
from faceswap.facepack.export import FINDER_FILE, LANDMARKS_FILE, export_finder, export_landmarker
from faceswap.facepack.labels import all_faces
from faceswap.facepack.losses import FinderTargets, finder_loss, landmark_loss
from faceswap.facepack.networks import Finder, Landmarker
from faceswap.facepack.scenes import Scene, SceneMaker
from faceswap.learn.loop import Schedule, Task, train
from faceswap.learn.state import StateFile
from faceswap.types import Frame


class LandmarkTask(Task):
    """68 points of crops."""

    name, rate = "landmarks", 2e-3

    def __init__(self, faces: FaceCache, batch: int = 32, network: Landmarker | None = None) -> None:
        self._crops, self._batch = CropMaker(faces, load_photographs()), batch
        self.network = network or Landmarker()

    def draw(self, random: Generator) -> tuple[Tensor, Tensor, Tensor]:
        crops = [self._crops.draw(random) for _ in range(self._batch)]
        points, weight = (np.stack([getattr(crop, name) for crop in crops]) for name in ("points", "weight"))
        pictures = to_network([crop.picture for crop in crops])
        return pictures, torch.from_numpy(points), torch.from_numpy(weight)

    def loss(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        pictures, points, weight = batch
        return landmark_loss(self.network(pictures), points, weight)


class FindTask(Task):
    """Faces in scenes of three sizes, about as many pixels a batch each."""

    name, rate = "finder", 2e-3
    sizes = ((256, 18), (384, 8), (640, 3))
    shares = (0.4, 0.35, 0.25)

    def __init__(self, faces: FaceCache) -> None:
        self._scenes = SceneMaker(faces, load_photographs())
        self.network = Finder()

    def draw(self, random: Generator) -> tuple[Tensor, FinderTargets]:
        size, count = self.sizes[random.choice(len(self.sizes), p=self.shares)]
        scenes = [self._scenes.draw(size, random) for _ in range(count)]
        return to_network([scene.picture for scene in scenes]), finder_targets(scenes, size)

    def loss(self, batch: tuple[Tensor, FinderTargets]) -> Tensor:
        pictures, targets = batch
        score, sides, offsets = self.network(pictures)
        return finder_loss(score, sides, offsets, targets)


def finder_targets(scenes: Sequence[Scene], size: int) -> FinderTargets:
    """What the anchors of these scenes, each size × size px, should answer."""
    anchors = lay_anchors(size, size)
    positive, sides, offsets, sizes, counted = [], [], [], [], []
    for index, scene in enumerate(scenes):
        targets = assign(anchors, scene.boxes, scene.wanted)
        counted.append(targets.counted)
        chosen = np.flatnonzero(targets.face >= 0)
        positive.append(chosen + index * len(anchors.sizes))
        if len(chosen) == 0:
            continue
        faces = np.maximum(targets.face, 0)
        all_sides, all_offsets = encode(anchors, scene.boxes[faces], scene.five[faces])
        sides.append(all_sides[chosen])
        offsets.append(all_offsets[chosen])
        sizes.append((all_sides[chosen, :2] + all_sides[chosen, 2:]).max(1))
    return FinderTargets(
        positive=torch.from_numpy(np.concatenate(positive)),
        sides=_stacked(sides, (0, 4)),
        offsets=_stacked(offsets, (0, 10)),
        size=_stacked(sizes, (0,)),
        counted=torch.from_numpy(np.concatenate(counted)),
    )


def _stacked(parts: list[NDArray[np.float32]], empty: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.concatenate(parts) if parts else np.zeros(empty, np.float32))


def to_network(pictures: Sequence[Frame]) -> Tensor:
    """RGB uint8 pictures of one size to (B, 3, H, W), (x − 127.5) / 128, channels last."""
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return stacked.to(torch.float32).sub_(127.5).div_(128)


Part = Literal["finder", "landmarks"]


def make(part: Part, faces: FaceCache, work: Path, output: Path, schedule: Schedule) -> None:
    """Train one model from the state in `work`, if any, and write its ONNX file into `output`.

    The file is written at every save, so that a usable pack exists long before the training ends.
    """
    task: Task = FindTask(faces) if part == "finder" else LandmarkTask(faces)

    def export(network: nn.Module) -> None:
        if isinstance(network, Finder):
            export_finder(network, output / FINDER_FILE)
        elif isinstance(network, Landmarker):
            export_landmarker(network, output / LANDMARKS_FILE)

    train(task, StateFile(work / f"{part}.safetensors", export), schedule)
    say(f"{part} trained; its model is in {output}")


def labelled_faces(data: Path, work: Path) -> FaceCache:
    """The training faces, decoded and labelled by the first call (some minutes), read by later ones."""
    folder = work / "labelled"
    if not (folder / "labels.npz").is_file():
        write_cache(folder, progress(all_faces(data), "label", "faces"))
    return read_cache(folder)


def use_threads(count: int) -> None:
    """Let torch use `count` cores (0: its own choice); OpenCV one, as its calls are too small to share."""
    cv2.setNumThreads(1)
    if count:
        torch.set_num_threads(count)
