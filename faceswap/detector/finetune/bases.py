"""What a fine-tuning starts from: a folder of transformers' own files, the bundled detector, or nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from pydantic import BaseModel
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import AutoModelForImageClassification
from transformers.utils import logging

from faceswap.console import say
from faceswap.detector.network.files import (
    CARD,
    CONFIG,
    PROCESSOR,
    WEIGHTS,
    from_pretrained,
    load_detector,
    read_config,
)
from faceswap.detector.network.model import LABELS, PIXEL_MEAN, PIXEL_STD, DetectorSpec, Shipped, build
from faceswap.errors import UserError
from faceswap.io.documents import Finite, read_as
from faceswap.io.files import sha256
from faceswap.workspace import assets

RANDOM = "random"
# What it warns of, missing and unexpected weights, is refused or told here.
logging.set_verbosity_error()

Rgb = tuple[float, float, float]
_Size: TypeAlias = int | list[int] | dict[str, int | None] | None
_MOST_PX = 8192


@dataclass(frozen=True, eq=False)
class Base:
    """A classifier with the labels Real 0 and Fake 1, and how it reads pictures.

    model: called with pixel_values (B, 3, S, S) it answers with logits (B, 2). size_px: S. mean, std: of the
    channels, pictures in [0, 1]. patch_head: of a detector of ours, None of any other model. identity: the
    SHA-256 of its weights, or RANDOM. seen: the hashes of what a detector of ours was trained on.
    """

    model: Any
    size_px: int
    mean: Rgb
    std: Rgb
    patch_head: dict[str, Tensor] | None
    name: str
    identity: str
    seen: tuple[str, ...] = ()

    def pixels(self, pictures: Tensor) -> Tensor:
        """(B, S, S, 3) uint8 RGB -> (B, 3, S, S) float32 as the model wants them."""
        mean, std = (
            torch.tensor(value, device=pictures.device)[:, None, None] for value in (self.mean, self.std)
        )
        return (pictures.permute(0, 3, 1, 2).float() / 255 - mean) / std


class _Processor(BaseModel):
    """What preprocessor_config.json says, of what decides about pixels."""

    do_normalize: bool | None = True
    do_flip_channel_order: bool | None = False
    rescale_factor: Finite = 1 / 255
    image_mean: tuple[Finite, Finite, Finite] | None = None
    image_std: tuple[Finite, Finite, Finite] | None = None
    crop_size: _Size = None
    size: _Size = None


def open_base(folder: Path | None, seed: int) -> Base:
    """The model of `folder`, without one the bundled detector, without that a ViT-T of random weights.

    A head for other classes is replaced by a new one, drawn from `seed`, and that is said. Raises UserError
    where a weight of the encoder is missing or does not fit, where Real and Fake are swapped, and where it is
    not known how the model reads pictures: nothing is initialised anew or guessed in silence.
    """
    if folder is None and (assets() / "detector" / CONFIG).is_file():
        folder = assets() / "detector"
    if folder is None:
        say("there is no bundled detector and no --base: this starts from random weights")
        detector = build(DetectorSpec(), seed)
        assert isinstance(detector, Shipped)
        grey, spread = (PIXEL_MEAN,) * 3, (PIXEL_STD,) * 3
        return Base(detector.classifier, detector.input_px, grey, spread, None, RANDOM, RANDOM)
    _require_files(folder)
    patch_head: dict[str, Tensor] | None = None
    seen: tuple[str, ...] = ()
    if (folder / CARD).is_file():
        detector, card = load_detector(folder)
        model, patch_head, seen = detector.classifier, dict(detector.patch_head.state_dict()), card.seen
    else:
        model = _open(folder, seed)
    content = read_as(folder / PROCESSOR, _Processor)
    mean, std = _scaling(folder, content)
    size_px = _size_px(folder, model.config, content)
    return Base(model, size_px, mean, std, patch_head, folder.name, sha256(folder / WEIGHTS), seen)


def _require_files(folder: Path) -> None:
    missing = [name for name in (CONFIG, WEIGHTS, PROCESSOR) if not (folder / name).is_file()]
    if not missing:
        return
    there = (
        ", ".join(sorted(path.name for path in folder.iterdir())[:8]) if folder.is_dir() else "no such folder"
    )
    raise UserError(
        f"the base {folder} lacks {', '.join(missing)}",
        f"found {there or 'an empty folder'}",
        "save it there with save_pretrained, model and image processor; pickled weights are not read",
    )


def _open(folder: Path, seed: int) -> Any:
    try:
        config = read_config(folder)
        _require_its_own_kind(folder, config)
        knows_ours = _knows_ours(folder, config)
        weights = from_pretrained(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        hint = "name a model that AutoModelForImageClassification opens"
        raise UserError(f"the base {folder} cannot be opened", str(error).splitlines()[0], hint) from None
    if not knows_ours:
        say(f"the head of {folder} knows {len(config.id2label)} other classes: a new one starts at random")
        weights = {name: value for name, value in weights.items() if not _is_head(name)}
    config.id2label, config.label2id = dict(LABELS), {name: index for index, name in LABELS.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageClassification.from_config(config, dtype=torch.float32)
    left = model.load_state_dict(weights, strict=False)
    assert all(_is_head(name) for name in left.missing_keys)
    return model


def _require_its_own_kind(folder: Path, config: Any) -> None:
    """A distilled DeiT opened as a ViT keeps none of its encoder's weights (detection.md §0.5)."""
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            prefixes = {name.partition(".")[0] for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except SafetensorError as error:
        raise UserError(f"{folder / WEIGHTS} is damaged", str(error), "copy the folder again") from None
    if config.model_type == "vit" and "deit" in prefixes:
        raise UserError(
            f"{folder} holds a DeiT, but its {CONFIG} calls it a vit",
            "opened as a ViT it would lose every weight of its encoder",
            f'set model_type to "deit" and architectures to ["DeiTForImageClassification"] in its {CONFIG}',
        )


def _knows_ours(folder: Path, config: Any) -> bool:
    labels = {int(index): str(name).lower() for index, name in config.id2label.items()}
    ours = {index: name.lower() for index, name in LABELS.items()}
    if labels != ours and sorted(labels.values()) == sorted(ours.values()):
        raise UserError(
            f"the labels of {folder} are not {LABELS}",
            f"found {dict(config.id2label)}",
            f"set id2label in its {CONFIG} to what its outputs mean; which is which is never guessed",
        )
    return labels == ours


def _is_head(name: str) -> bool:
    return "classifier" in name.partition(".")[0]


def _scaling(folder: Path, said: _Processor) -> tuple[Rgb, Rgb]:
    if said.do_normalize is False:
        return (0.0,) * 3, (1.0,) * 3
    mean, std = said.image_mean, said.image_std
    odd = said.do_flip_channel_order or abs(said.rescale_factor - 1 / 255) > 1e-6
    if odd or mean is None or std is None or min(std) <= 0:
        raise UserError(
            f"how {folder} reads pictures is not known",
            f"its {PROCESSOR} has image_mean {mean}, image_std {std}, or other scales or channels",
            "name a base whose processor rescales RGB by 1/255 and normalises by mean and std",
        )
    return mean, std


def _size_px(folder: Path, config: Any, said: _Processor) -> int:
    size = getattr(config, "image_size", None) or said.crop_size or said.size
    sides = {
        *(size.values() if isinstance(size, dict) else size if isinstance(size, (list, tuple)) else [size])
    }
    if len(sides) != 1 or not isinstance(side := sides.pop(), int) or not 1 <= side <= _MOST_PX:
        found = f"{CONFIG} and {PROCESSOR} say {size}"
        raise UserError(f"the input of {folder} is no square", found[:300], "name a base that reads squares")
    return side
