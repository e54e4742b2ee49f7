"""Whether what a checkpoint holds is a face-swap model, seen before a weight is copied."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field
from torch import Tensor

from faceswap.io.documents import Count, DocumentError, Finite, fitted
from faceswap.learn.checkpoint import DamagedError, Loaded
from faceswap.models.arch import ModelSpec
from faceswap.models.families import outline
from faceswap.types import FaceType

WEIGHTS = "weights"
_NAMED = 3


class StoredModel(BaseModel):
    """The state of a model of faces; older ones know neither collapses nor recipes, bases no training."""

    spec: dict[str, Any]
    face_type: FaceType
    seed: int = 0
    samples: Count = 0
    elapsed_s: Annotated[Finite, Field(ge=0)] = 0.0
    base: str | None = None
    step_factor: Annotated[float, Field(gt=0, le=1)] = 1.0
    phase: Annotated[int, Field(ge=0, le=10**6)] = 0
    phase_since: Count = 0
    pretraining: bool = False
    conditions: dict[str, str | int | float | bool | None] = {}


class StoredRun(StoredModel):
    """The state of one that can be trained on."""

    seed: int
    samples: Count
    elapsed_s: Annotated[Finite, Field(ge=0)]


def stored_model(loaded: Loaded, kind: type[StoredModel] = StoredModel) -> StoredModel:
    """The state of a checkpoint of a model of faces; DamagedError where it is none."""
    try:
        return fitted(loaded.state, kind)
    except DocumentError as error:
        raise DamagedError(f"its state is no face-swap model's: {error}") from None


def check_run(loaded: Loaded) -> None:
    """Like `check_model`, for one that can be trained on."""
    stored_model(loaded, StoredRun)
    check_model(loaded)


def check_model(loaded: Loaded) -> None:
    """Raise DamagedError or UserError where a checkpoint, with its weights, is no face-swap model."""
    spec = ModelSpec.from_json(stored_model(loaded).spec)
    refuse_unfit(outline(spec).state_dict(), loaded.tensors[WEIGHTS])


def refuse_unfit(wanted: Mapping[str, Tensor], offered: Mapping[str, Tensor]) -> None:
    """Raise DamagedError where `offered` are not the tensors `wanted`, by name, shape and kind of number."""
    wrong = [f"{name} is missing" for name in wanted.keys() - offered.keys()]
    wrong += [f"{name} is foreign" for name in offered.keys() - wanted.keys()]
    for name in wanted.keys() & offered.keys():
        here, there = wanted[name], offered[name]
        if here.shape != there.shape:
            wrong.append(f"{name} is {tuple(there.shape)}, not {tuple(here.shape)}")
        elif here.is_floating_point() != there.is_floating_point() or there.is_complex():
            wrong.append(f"{name} holds {there.dtype}, not {here.dtype}")
    if wrong:
        named = "; ".join(sorted(wrong)[:_NAMED])
        raise DamagedError(f"{len(wrong)} of its tensors do not fit its description: {named}")
