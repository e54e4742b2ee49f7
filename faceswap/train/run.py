"""The model being trained: made anew, from a base, or continued; and written to its checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from faceswap import __version__
from faceswap.errors import UserError
from faceswap.io import checkpoint
from faceswap.models.arch import Arch, ModelSpec, default_mask_dims
from faceswap.models.build import build
from faceswap.models.swap import SwapModel
from faceswap.train.base import WEIGHTS, adopt, describe, find_base
from faceswap.types import FaceType, Json

OPTIMIZER = "optimizer"
# What decides the shapes of the weights and what a face is: chosen once, when the model is new.
FIXED = ("arch", "resolution", "ae_dims", "encoder_dims", "decoder_dims", "mask_dims", "face_type")


@dataclass
class Run:
    """A model and how far it has come.

    iteration: updates so far.  samples: faces of each side trained on so far.  elapsed_s: time in training.
    base: the base model it started from.  optimizer: its saved tensors, for a continued model's first step.
    notes: what to tell the user.
    """

    folder: Path
    model: SwapModel
    face_type: FaceType
    seed: int
    iteration: int = 0
    samples: int = 0
    elapsed_s: float = 0.0
    base: str | None = None
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def save(self, optimizer: Mapping[str, Tensor]) -> Path:
        """Write a checkpoint of the model and the optimiser's tensors."""
        state: Json = {
            "iteration": self.iteration,
            "samples": self.samples,
            "elapsed_s": round(self.elapsed_s, 1),
            "seed": self.seed,
            "base": self.base,
            "spec": self.model.spec.to_json(),
            "face_type": str(self.face_type),
            "version": __version__,
        }
        return checkpoint.save(self.folder, {WEIGHTS: self.model.state_dict(), OPTIMIZER: optimizer}, state)


def open_run(folder: Path, asked: Mapping[str, Any], seed: int, base: str | None) -> Run:
    """Continue the model in `folder`, or make a new one there.

    asked: those of FIXED that the user typed; the others follow from the model, its base or the defaults.
    base: name of a bundled base model, or a folder with a model or checkpoint, for a new model to start from.
    Raises UserError where what was typed contradicts the model, fits no network, or nothing is intact.
    """
    typed = {name: _plain(name, value) for name, value in asked.items()}
    return _continue(folder, typed, base) if checkpoint.exists(folder) else _start(folder, typed, seed, base)


def _continue(folder: Path, typed: Json, base: str | None) -> Run:
    loaded = checkpoint.load(folder, (WEIGHTS, OPTIMIZER))
    checkpoint.set_aside(loaded)
    state = loaded.state
    refuse_changes(folder, typed, state["spec"] | {"face_type": state["face_type"]})
    model = build(ModelSpec.from_json(state["spec"]))
    model.load_state_dict(loaded.tensors[WEIGHTS])
    notes = [f"{text}; using the one before it" for text in loaded.rejected]
    notes.append(f"continuing {folder.name} at iteration {loaded.iteration}: {describe(model.spec)}")
    if base is not None:
        notes.append("--base is only used for a new model")
    return Run(
        folder,
        model,
        FaceType(state["face_type"]),
        int(state["seed"]),
        loaded.iteration,
        int(state["samples"]),
        float(state["elapsed_s"]),
        state["base"],
        loaded.tensors[OPTIMIZER],
        tuple(notes),
    )


def _start(folder: Path, typed: Json, seed: int, base: str | None) -> Run:
    loaded = None if base is None else find_base(base)
    values: Json = ModelSpec(Arch.parse("LIAE-UD")).to_json() | {"face_type": str(FaceType.WHOLE)}
    if loaded is not None:
        values = loaded.state["spec"] | {"face_type": loaded.state["face_type"]}
    elif "decoder_dims" in typed:
        values["mask_dims"] = default_mask_dims(typed["decoder_dims"])
    values |= typed
    model = build(ModelSpec.from_json(values), seed)
    notes: tuple[str, ...] = (f"new model {folder.name}: {describe(model.spec)}, {values['face_type']} face",)
    if loaded is not None:
        notes += adopt(model, loaded)
    return Run(folder, model, FaceType(values["face_type"]), seed, base=base, notes=notes)


def _plain(name: str, value: Any) -> Any:
    if name == "arch":
        return str(Arch.parse(value))
    return str(value) if name == "face_type" else value


def refuse_changes(folder: Path, typed: Json, has: Json) -> None:
    changed = [name for name, value in typed.items() if value != has[name]]
    if changed:
        flags = {name: "--" + name.replace("_", "-") for name in changed}
        raise UserError(
            f"the model {folder.name} was made with "
            + ", ".join(f"{flags[name]} {has[name]}" for name in changed)
            + "; this cannot change any more",
            "asked for: " + ", ".join(f"{flags[name]} {typed[name]}" for name in changed),
            f"leave {', '.join(flags.values())} out to continue it, or start another one: --model NAME",
        )
