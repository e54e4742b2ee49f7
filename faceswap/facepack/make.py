"""From data to a model file: label once, train, export whenever the training is saved."""

from pathlib import Path
from typing import Literal

import cv2
import torch
from torch import nn

from faceswap.console import progress, say
from faceswap.facepack.cache import FaceCache, read_cache, write_cache
from faceswap.facepack.export import FINDER_FILE, LANDMARKS_FILE, export_finder, export_landmarker
from faceswap.facepack.finder import Finder
from faceswap.facepack.labels import all_faces
from faceswap.facepack.landmarker import Landmarker
from faceswap.facepack.state import StateFile
from faceswap.facepack.tasks import FindTask, LandmarkTask
from faceswap.facepack.training import Schedule, Task, train

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
