"""The model being trained: made anew, from a base, or continued; and written to its checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from faceswap import __version__
from faceswap.console import command
from faceswap.errors import UserError
from faceswap.learn import checkpoint
from faceswap.learn.backups import list_backups
from faceswap.learn.stored import check_run, stored_model
from faceswap.models.arch import Arch, ModelSpec, default_mask_dims, refuse_foreign
from faceswap.models.families import build
from faceswap.models.swap import SwapModel
from faceswap.train.base import WEIGHTS, adopt, describe, find_base
from faceswap.types import FaceType, Json

# What of an unbroken training a changed condition takes away.
_NOT_EXACT = {
    "batch_size": "the faces go on where they were, but are grouped and warped otherwise than without a stop",
    "device": "it rounds otherwise, so the losses differ from those without a stop in their last digits",
    "precision": "it rounds otherwise, so the losses differ from those without a stop",
    "src_faces": "their order is drawn anew, some come twice before others come once",
    "dst_faces": "their order is drawn anew, some come twice before others come once",
}


@dataclass
class Run:
    """A model and how far it has come.

    iteration: updates so far.  samples: faces of each side trained on so far.  elapsed_s: time in training.
    base: the base model it started from.  tensors: what was saved beside the weights, by part.
    step_factor: what collapses have left of the learning rate.  phase, phase_since: of its recipe, and the
    iteration at which that began.  pretraining: whether it learns of many people's faces.  conditions: under
    which it trains, by name, for whoever continues it.  notes: what to tell the user.
    """

    folder: Path
    model: SwapModel
    face_type: FaceType
    seed: int
    iteration: int = 0
    samples: int = 0
    elapsed_s: float = 0.0
    base: str | None = None
    tensors: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    step_factor: float = 1.0
    phase: int = 0
    phase_since: int = 0
    pretraining: bool = False
    conditions: Json = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def save(self, tensors: Mapping[str, Mapping[str, Tensor]]) -> Path:
        """Write a checkpoint of the model and what its step holds, by part."""
        state: Json = {
            "iteration": self.iteration,
            "samples": self.samples,
            "elapsed_s": round(self.elapsed_s, 1),
            "seed": self.seed,
            "base": self.base,
            "step_factor": self.step_factor,
            "phase": self.phase,
            "phase_since": self.phase_since,
            "pretraining": self.pretraining,
            "conditions": self.conditions,
            "spec": self.model.spec.to_json(),
            "face_type": str(self.face_type),
            "version": __version__,
        }
        return checkpoint.save(self.folder, {WEIGHTS: self.model.state_dict(), **tensors}, state)

    def return_to(self, loaded: checkpoint.Loaded) -> None:
        """Be what an older checkpoint holds, but for `samples`: the faces drawn since do not come again."""
        self.model.load_state_dict(loaded.tensors[WEIGHTS])
        self.tensors = _besides(loaded)
        state = stored_model(loaded)
        self.iteration, self.elapsed_s = loaded.iteration, state.elapsed_s
        self.phase, self.phase_since = state.phase, state.phase_since

    def under(self, conditions: Json) -> tuple[str, ...]:
        """Train under `conditions` from now on; returns what is not exact in continuing because of them.

        Known: batch_size, device, precision, and src_faces and dst_faces, the numbers of faces.
        """
        before, self.conditions = self.conditions, conditions
        changed = [name for name in conditions if name in before and before[name] != conditions[name]]
        return tuple(
            f"{name.replace('_', ' ')} was {before[name]} and is {conditions[name]}: {_NOT_EXACT[name]}"
            for name in changed
        )


def open_run(folder: Path, asked: Mapping[str, Any], seed: int, base: str | None) -> Run:
    """Continue the model in `folder`, or make a new one there.

    asked: what was typed of that which a model keeps for life; the rest follows from the model, its base or
    the defaults.
    base: name of a bundled base model, or a folder with a model or checkpoint, for a new model to start from.
    Raises UserError where what was typed contradicts the model, fits no network, or nothing is intact.
    """
    typed = {name: _plain(name, value) for name, value in asked.items()}
    return _continue(folder, typed, base) if checkpoint.exists(folder) else _start(folder, typed, seed, base)


def _continue(folder: Path, typed: Json, base: str | None) -> Run:
    try:
        loaded = checkpoint.load(folder, accept=check_run)
    except UserError as error:
        if not list_backups(folder):
            raise
        hint = f"go back to one of its backups: {command('stages.model', 'restore', folder.name)}"
        raise UserError(error.what, error.found, hint) from None
    checkpoint.set_aside(loaded)
    state = stored_model(loaded)
    refuse_changes(folder, typed, state.spec | {"face_type": state.face_type})
    refuse_foreign(Arch.parse(state.spec["arch"]), typed)
    model = build(ModelSpec.from_json(state.spec))
    model.load_state_dict(loaded.tensors[WEIGHTS])
    notes = [f"{text}; using the one before it" for text in loaded.rejected]
    notes.append(f"continuing {folder.name} at iteration {loaded.iteration}: {describe(model.spec)}")
    if base is not None:
        notes.append("--base is only used for a new model")
    if state.step_factor < 1:
        notes.append(f"since its collapses it trains with {state.step_factor:g} × the learning rate")
    return Run(
        folder,
        model,
        state.face_type,
        state.seed,
        loaded.iteration,
        state.samples,
        state.elapsed_s,
        state.base,
        _besides(loaded),
        state.step_factor,
        state.phase,
        state.phase_since,
        state.pretraining,
        state.conditions,
        tuple(notes),
    )


def _besides(loaded: checkpoint.Loaded) -> dict[str, dict[str, Tensor]]:
    return {part: tensors for part, tensors in loaded.tensors.items() if part != WEIGHTS}


def _start(folder: Path, typed: Json, seed: int, base: str | None) -> Run:
    loaded = None if base is None else find_base(base)
    like = {} if loaded is None else loaded.state["spec"] | {"face_type": loaded.state["face_type"]}
    arch = Arch.parse(typed.get("arch") or like.get("arch") or "LIAE-UD")
    values = ModelSpec.default(arch).to_json() | {"face_type": str(default_face_type(arch))}
    if "decoder_dims" in typed and loaded is None:
        values["mask_dims"] = default_mask_dims(typed["decoder_dims"])
    # A base of another family has sizes that this one does not know.
    values |= {name: value for name, value in like.items() if name in values} | typed
    model = build(ModelSpec.from_json(values), seed)
    notes: tuple[str, ...] = (f"new model {folder.name}: {describe(model.spec)}, {values['face_type']} face",)
    if loaded is not None:
        notes += adopt(model, loaded)
    return Run(folder, model, FaceType(values["face_type"]), seed, base=base, notes=notes)


def default_face_type(arch: Arch) -> FaceType:
    """How much of the head a new model shows (deepfacelab.md §10.4)."""
    return FaceType.FULL if arch.family == "QUICK96" else FaceType.WHOLE


def _plain(name: str, value: Any) -> Any:
    if name == "arch":
        return str(Arch.parse(value))
    return str(value) if name == "face_type" else value


def refuse_changes(folder: Path, typed: Json, has: Json) -> None:
    """Raise UserError naming the flags in `typed` that differ from what the model in `folder` has."""
    changed = [name for name, value in typed.items() if name in has and value != has[name]]
    if changed:
        flags = {name: "--" + name.replace("_", "-") for name in changed}
        raise UserError(
            f"the model {folder.name} was made with "
            + ", ".join(f"{flags[name]} {has[name]}" for name in changed)
            + "; this cannot change any more",
            "asked for: " + ", ".join(f"{flags[name]} {typed[name]}" for name in changed),
            f"leave {', '.join(flags.values())} out to continue it, or start another one: --model NAME",
        )
