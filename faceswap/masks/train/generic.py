"""The bundled mask model: its training faces as crops, its recipe, and the file that ships."""

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from faceswap.augment.backgrounds import background, load_photographs
from faceswap.augment.pictures import Picture
from faceswap.augment.warp import TransformRanges
from faceswap.console import progress
from faceswap.geometry.geometry import crop_transform
from faceswap.geometry.warp import cut_crop, resample
from faceswap.learn import checkpoint
from faceswap.learn.loop import Schedule, train
from faceswap.masks.segmenter import WEIGHTS
from faceswap.masks.train.augment import Augmenter, AugmentSettings
from faceswap.masks.train.data import MaskSamples, Sample, Tag, read_samples, write_samples
from faceswap.masks.train.generic_labels import LabelledFace, labelled_faces
from faceswap.masks.train.run import MaskRun
from faceswap.masks.train.train import MaskTask, RunCheckpointer
from faceswap.types import FaceType, Mask, Transform

CROP_PX = 256
# Around the crop, so that turning and moving it shows real pixels: 352 / 256 holds a turn by 25° and more.
CANVAS_PX = 352
# Any face in any light, found a little off, before anything and behind things.
AUGMENT = AugmentSettings(
    placing=TransformRanges(rotation_deg=15.0, scale=0.12, shift=0.06),
    mix=0.25,
    occlude=0.5,
    replace=0.7,
    look=0.75,
    shares={"landmarked": 0.25, "segmented": 0.25, "stills": 0.5},
)
BACKGROUNDS_N = 300


def generic_samples(data: Path, work: Path) -> MaskSamples:
    """The training faces as whole-face crops, made by the first call (a minute), read by later ones."""
    folder = work / "labelled"
    stored = read_samples(folder)
    if stored is not None:
        return stored
    faces = progress(labelled_faces(data, held_back=False), "label", "faces")
    return write_samples(folder, CANVAS_PX, CROP_PX, _samples(faces))


def _samples(faces: Iterator[LabelledFace]) -> Iterator[tuple[Sample, Tag]]:
    for face in faces:
        yield make_sample(face), Tag(face.source, face.person, face.name)


def make_sample(face: LabelledFace) -> Sample:
    """The face's crop with its margin, CANVAS_PX²; beyond the picture's edge nothing is figure."""
    # Scaled down on a larger canvas: the crop of CROP_PX lies in its middle.
    to_canvas = crop_transform(face.landmarks, CANVAS_PX, FaceType.WHOLE, CROP_PX / CANVAS_PX)
    layers = [cut_layer(layer, to_canvas, CANVAS_PX) for layer in (face.mask, face.figure)]
    picture = np.asarray(cut_crop(face.picture, to_canvas, CANVAS_PX), np.uint8)
    return Sample(picture, np.dstack(layers))


def cut_layer(layer: Mask, frame_to_face: Transform, size_px: int) -> Picture:
    """A mask of the frame cut as its crop, 0 … 255."""
    grey = np.rint(layer * 255).astype(np.uint8)
    return np.asarray(resample(grey, frame_to_face, size_px, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT), np.uint8)


def draw_backgrounds(seed: int) -> list[Picture]:
    """Pictures without faces, CANVAS_PX²: what samples' backgrounds and occluders are made of."""
    photographs = load_photographs()
    random = np.random.default_rng([seed, BACKGROUNDS_N])
    return [background(photographs, CANVAS_PX, CANVAS_PX, random) for _ in range(BACKGROUNDS_N)]


def train_generic(
    run: MaskRun, samples: MaskSamples, sources: Collection[str], output: Path, schedule: Schedule,
    batch: int, rate: float, device: torch.device, dtype: torch.dtype,
) -> None:  # fmt: skip
    """Train the bundled model on those of `samples` from `sources` (of AUGMENT.shares) to the schedule's end.

    Every save writes it into `output`, too.
    """
    textures = draw_backgrounds(schedule.seed)
    settings = replace(AUGMENT, shares={name: AUGMENT.shares[name] for name in sources})
    augmenter = Augmenter(samples, settings, run.spec.input_px, textures, schedule.seed)
    task = MaskTask(run.network, augmenter, batch, rate, device, dtype)
    keeper = RunCheckpointer(
        run, task, samples, samples.none, device, dtype, on_save=lambda path: ship(path, output)
    )
    train(task, keeper, schedule)


def ship(trained: Path, output: Path) -> None:
    """Write the weights of checkpoint `trained` in half precision to `output`, over what is there."""
    loaded = checkpoint.read(trained, [WEIGHTS])
    weights = loaded.tensors[WEIGHTS]
    halved = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    kept = ("kind", "iteration", "spec", "face_type", "seed", "version")
    new = output.with_name(f".{output.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    checkpoint.write(new, {WEIGHTS: halved}, {name: loaded.state[name] for name in kept})
    for file in new.iterdir():
        output.mkdir(parents=True, exist_ok=True)
        os.replace(file, output / file.name)
    new.rmdir()
