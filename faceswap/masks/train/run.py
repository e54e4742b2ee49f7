"""A mask model being trained: made anew, from a base, or continued, in model/NAME; and its preview."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import BaseModel
from torch import nn

from faceswap import __version__
from faceswap.errors import UserError
from faceswap.io.captions import base_px, line_px, write
from faceswap.io.documents import Count, DocumentError, Finite, fitted
from faceswap.learn import checkpoint, optimizers
from faceswap.learn.state import State
from faceswap.learn.stored import refuse_unfit
from faceswap.masks.segmenter import (
    KIND,
    WEIGHTS,
    StoredMasks,
    as_float32,
    bundled_folder,
    check_model,
    find_model,
)
from faceswap.masks.selection import BUNDLED
from faceswap.models.segmenter import SegmenterSpec, build, outline
from faceswap.train.run import refuse_changes
from faceswap.types import FaceType, Frame, Image, Json, Mask

# In this order (deepfacelab.md §6.2).
COLUMNS = ("face, truth", "predicted mask", "face, predicted")
_GREEN = np.array([0.0, 1.0, 0.0], np.float32)
_GAP_PX, _ACROSS, _PAPER = 4, 2, 24


def preview_sheet(
    images: Sequence[Image], truths: Sequence[Mask], predicted: Sequence[Mask], title: str
) -> Frame:
    """(H, W, 3) uint8: `title`, and for each face, two to a row, its COLUMNS.

    Half of the colour outside a mask is green.
    """
    side = images[0].shape[0]
    pitch = side + _GAP_PX
    rows = -(-len(images) // _ACROSS)
    header = line_px(side)
    base, top, width = base_px(header), 2 * header, _ACROSS * len(COLUMNS) * pitch - _GAP_PX
    sheet = np.full((top + rows * pitch, width, 3), _PAPER, np.uint8)
    write(sheet, title, (_GAP_PX, base), height_px=header)
    for index, (image, truth, mask) in enumerate(zip(images, truths, predicted, strict=True)):
        cells = (tint_outside(image, truth), np.repeat(mask[..., None], 3, 2), tint_outside(image, mask))
        y = top + index // _ACROSS * pitch
        for column, (name, cell) in enumerate(zip(COLUMNS, cells, strict=True)):
            x = (index % _ACROSS * len(COLUMNS) + column) * pitch
            sheet[y : y + side, x : x + side] = np.rint(np.clip(cell, 0, 1) * 255).astype(np.uint8)
            if index < _ACROSS:
                write(sheet[:, : x + side], name, (x + _GAP_PX, header + base), height_px=header)
    return sheet


def tint_outside(image: Image, mask: Mask) -> Image:
    """The image with half green where the mask is 0."""
    outside = 0.5 * (1 - mask[..., None])
    return np.asarray(image * (1 - outside) + _GREEN * outside, np.float32)


SCRATCH = "scratch"
# WEIGHTS are what is applied, the running average; the network is what the optimiser moves.
NETWORK, OPTIMIZER = "network", "optimizer"
_SCRATCH_RATE, _TUNING_RATE = 2e-3, 3e-4


class _Check(BaseModel):
    iteration: Count
    loss: Finite
    iou: Finite


class _Stored(StoredMasks):
    seed: int
    base: str
    loss: Finite
    elapsed_s: Finite
    checks: list[_Check]


@dataclass
class MaskRun:
    """A mask model being trained. base: what it started from. notes: what to tell the user.

    checks: what was seen at looks at the held-out faces, {"iteration", "loss", "iou"} each.
    """

    folder: Path
    network: nn.Module
    spec: SegmenterSpec
    face_type: FaceType
    seed: int
    base: str
    notes: tuple[str, ...] = ()
    checks: list[Json] = field(default_factory=list)
    loaded: checkpoint.Loaded | None = None

    @property
    def iteration(self) -> int:
        """How many steps the model has had when it was opened."""
        return self.loaded.iteration if self.loaded else 0

    @property
    def rate(self) -> float:
        """Small steps where there is something to lose."""
        return _SCRATCH_RATE if self.base == SCRATCH else _TUNING_RATE

    def state_json(self) -> Json:
        """What tells the model from others, as checkpoints keep it."""
        return {
            "kind": KIND,
            "spec": self.spec.to_json(),
            "face_type": str(self.face_type),
            "seed": self.seed,
            "base": self.base,
            "version": __version__,
            "checks": self.checks,
        }


def open_run(
    folder: Path, asked: Json, seed: int, base: str = SCRATCH, encoder_weights: str | None = None
) -> MaskRun:
    """Continue the mask model in `folder`, or make a new one there.

    asked: those fields of SegmenterSpec, and face_type, that the user typed; the others follow from the
    model, its base or the defaults. base: "bundled", "scratch", or the folder of a mask model. Raises
    UserError where what was typed contradicts the model or its base, where there is no such base, or no
    intact checkpoint.
    """
    if checkpoint.exists(folder):
        return _continue(folder, asked)
    if base == SCRATCH:
        values = SegmenterSpec().to_json() | {"face_type": str(FaceType.WHOLE)} | asked
        spec, face_type = _split(values)
        network = build(spec, seed, encoder_weights)
    else:
        loaded = find_model(bundled_folder() if base == BUNDLED else Path(base))
        values = loaded.state["spec"] | {"face_type": loaded.state["face_type"]}
        # Convolutions take any size; XSeg's dense layers do not.
        free = {"input_px"} if values["arch"] == "unet" else set()
        refuse_changes(Path(base), {name: asked[name] for name in asked if name not in free}, values)
        spec, face_type = _split(values | asked)
        network = build(spec)
        network.load_state_dict(as_float32(loaded))
    start = "random weights" if base == SCRATCH else base
    note = f"new mask model {folder.name}: {_describe(spec)} from {start}, {face_type} face"
    return MaskRun(folder, network, spec, face_type, seed, base, (note,))


def _split(values: Json) -> tuple[SegmenterSpec, FaceType]:
    spec = {name: value for name, value in values.items() if name != "face_type"}
    return SegmenterSpec.from_json(spec), FaceType(values["face_type"])


def _continue(folder: Path, asked: Json) -> MaskRun:
    loaded = checkpoint.load(folder, [WEIGHTS, NETWORK, OPTIMIZER], _check)
    if loaded.state.get("kind") != KIND:
        raise UserError(f"{folder} holds no mask model", "it is a model of faces", "name another --model")
    state = fitted(loaded.state, _Stored)
    refuse_changes(folder, asked, state.spec | {"face_type": state.face_type})
    checkpoint.set_aside(loaded)
    spec = SegmenterSpec.from_json(state.spec)
    notes = [f"{text}; using the one before it" for text in loaded.rejected]
    notes.append(f"continuing {folder.name} at iteration {loaded.iteration}: {_describe(spec)}")
    return MaskRun(
        folder,
        build(spec),
        spec,
        state.face_type,
        state.seed,
        state.base,
        tuple(notes),
        [check.model_dump() for check in state.checks],
        loaded,
    )


def _check(loaded: checkpoint.Loaded) -> None:
    if loaded.state.get("kind") != KIND:
        return
    check_model(loaded)
    try:
        state = fitted(loaded.state, _Stored)
    except DocumentError as error:
        raise checkpoint.DamagedError(f"its state is no mask training's: {error}") from None
    network = outline(SegmenterSpec.from_json(state.spec))
    refuse_unfit(network.state_dict(), loaded.tensors[NETWORK])
    optimizers.check_tensors(State.fresh(network, 0).optimizer, loaded.tensors[OPTIMIZER])


def _describe(spec: SegmenterSpec) -> str:
    inside = spec.encoder if spec.arch == "unet" else f"{spec.base_dims} dims"
    return f"{spec.arch} ({inside}) {spec.input_px} px"
