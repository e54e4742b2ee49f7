"""A detector's folder: transformers' own files, and beside them what transformers does not know.

config.json, model.safetensors, preprocessor_config.json   AutoModelForImageClassification, AutoImageProcessor
patch_head.safetensors                                      the patch head
detector.json                                               temperature, thresholds, training manifest, hashes
"""

import copy
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForImageClassification, ViTImageProcessor
from transformers.utils import logging

from faceswap.console import command
from faceswap.detector.network.model import LABELS, PIXEL_MEAN, PIXEL_STD, Config, Shipped, from_config
from faceswap.errors import UserError
from faceswap.io.documents import Count, Digest, DocumentError, FileName, fitted, read_json
from faceswap.io.files import replace_folder, sha256, share, write_json
from faceswap.learn.checkpoint import not_finite
from faceswap.workspace import assets

# Its own bars over files of a few megabytes say nothing to our users.
logging.disable_progress_bar()

SCHEMA = 1
CONFIG, WEIGHTS, PROCESSOR = "config.json", "model.safetensors", "preprocessor_config.json"
# The false-positive rate whose threshold verdicts are given at, as it is written in a card.
HEADLINE_FPR = "0.05"
_COPY = "copy the folder again"
# No side, width or number of layers in a configuration is larger.
_MOST_SIZE = 2**20
PATCH_HEAD, CARD = "patch_head.safetensors", "detector.json"


class _About(BaseModel):
    """What a card says of the files beside it."""

    schema_number: Count = Field(0, alias="schema")
    files: dict[FileName, Digest]


@dataclass(frozen=True)
class Card:
    """What is known about a trained detector besides its weights.

    temperature divides the logits before the softmax. thresholds: P(fake) from which a crop is called fake,
    by the false-positive rate promised on validation reals, `{"0.05": 0.83}`. seen: SHA-256 of every
    training and validation file. looks: the difference hashes (see `manifest`) of their real crops, by
    which a self-test knows material that the detector has seen, however it was cut out or compressed.
    """

    temperature: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = field(default_factory=dict)
    face_type: str = "whole"
    training: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    seen: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()

    @property
    def threshold(self) -> float:
        """P(fake) above which verdicts say fake; UserError where it was never calibrated."""
        if HEADLINE_FPR not in self.thresholds:
            lacks = f"the detector has no threshold for a false-positive rate of {HEADLINE_FPR}"
            raise UserError(lacks, "", "train it with stages.detector, which calibrates")
        return self.thresholds[HEADLINE_FPR]


def save_detector(folder: Path, detector: Shipped, card: Card, half: bool = True) -> None:
    """Write the detector to `folder`, replacing one that is there only when the new one is complete.

    half: weights in float16, half the size; they are computed in float32 again after loading.
    """
    staging = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(staging, ignore_errors=True)
    dtype = torch.float16 if half else torch.float32
    # A copy, because the one that is saved may go on training, in its own precision.
    copy.deepcopy(detector.classifier).cpu().to(dtype).save_pretrained(staging)
    head = {name: value.to("cpu", dtype) for name, value in detector.patch_head.state_dict().items()}
    save_file(head, staging / PATCH_HEAD)
    size = {"height": detector.input_px, "width": detector.input_px}
    mean, std = [PIXEL_MEAN] * 3, [PIXEL_STD] * 3
    ViTImageProcessor(size=size, image_mean=mean, image_std=std).save_pretrained(staging)
    hashes = {name: sha256(staging / name) for name in (CONFIG, WEIGHTS, PATCH_HEAD)}
    write_json(staging / CARD, {"schema": SCHEMA, **asdict(card), "files": hashes})
    for file in staging.iterdir():
        share(file)
    replace_folder(staging, folder)


def write_card(folder: Path, card: Card) -> None:
    """Replace the card of a saved detector; its weights stay."""
    files = read_json(folder / CARD)["files"]
    write_json(folder / CARD, {"schema": SCHEMA, **asdict(card), "files": files})


def choose_detector(folder: Path | None) -> Path:
    """`folder`, or the bundled detector's where none is named; UserError where there is none."""
    if folder is not None:
        return folder
    bundled = assets() / "detector"
    if not (bundled / CONFIG).is_file():
        hint = f"train one: {command('stages.detector', '--help')}, and add --detector FOLDER"
        raise UserError("no detector is bundled with this version", "", hint)
    return bundled


def name_of(folder: Path) -> str:
    """What a detector is called in words: bundled, or else its folder's name."""
    return "bundled" if folder == assets() / "detector" else folder.resolve().name


def load_detector(folder: Path) -> tuple[Shipped, Card]:
    """The detector of `folder` in float32 on the CPU, in evaluation mode.

    Raises UserError for a folder that is none, whose labels are in another order, that lacks a file, whose
    weights do not fit or do not match their hash: nothing is ever initialised anew in silence.
    """
    if not (folder / CONFIG).is_file():
        found = "no such folder" if not folder.is_dir() else f"no {CONFIG} in it"
        raise UserError(f"{folder} is no detector", found, "name one that stages.detector train has made")
    missing = [name for name in (WEIGHTS, PROCESSOR, PATCH_HEAD, CARD) if not (folder / name).is_file()]
    if missing:
        raise UserError(f"the detector {folder} is incomplete", f"no {', '.join(missing)}", "copy it again")
    config = read_config(folder)
    if not isinstance(config, Config):
        raise UserError(f"{folder} is a {config.model_type}", "", "only vit and cvt can judge")
    labels = {int(index): str(name) for index, name in config.id2label.items()}
    if {index: name.lower() for index, name in labels.items()} != {i: n.lower() for i, n in LABELS.items()}:
        raise UserError(
            f"the labels of {folder} are not {LABELS}",
            f"found {labels}",
            f"set id2label in its {CONFIG} to what its outputs mean; which is which is never guessed",
        )
    _require_our_pixels(folder)
    card = _read_card(folder)
    detector = from_config(config)
    _load(detector.classifier, folder / WEIGHTS, from_pretrained(folder))
    _load(detector.patch_head, folder / PATCH_HEAD, _tensors(folder / PATCH_HEAD))
    return detector.float().eval(), card


def read_config(folder: Path) -> Any:
    """transformers' configuration of `folder`; UserError where it is damaged or describes no network."""
    found = read_json(folder / CONFIG, hint=_COPY)
    sizes = [value for value in found.values() if isinstance(value, int)] if isinstance(found, dict) else []
    if not isinstance(found, dict) or any(abs(size) > _MOST_SIZE for size in sizes):
        raise UserError(f"{folder / CONFIG} describes no network", "", _COPY)
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    # transformers and the checks of its many configurations raise their own kinds.
    except Exception as error:
        told = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{folder / CONFIG} cannot be read", told[:300], _COPY) from None


def from_pretrained(folder: Path) -> dict[str, torch.Tensor]:
    """The classifier's weights by our names from files that may carry an older transformers' names.

    Raises UserError when any encoder weight is missing or of another shape.
    """
    _tensors(folder / WEIGHTS)
    try:
        model, report = AutoModelForImageClassification.from_pretrained(
            folder, output_loading_info=True, dtype=torch.float32, local_files_only=True
        )
    except Exception as error:  # whatever the network of an odd configuration raises
        told = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"the weights of {folder} cannot be opened", told[:300], _COPY) from None
    lost = sorted({*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])})
    lost = [name for name in lost if not name.startswith("classifier.")]
    if lost:
        raise UserError(
            f"the weights of {folder} do not fit its {CONFIG}",
            f"{len(lost)} of them are missing or of another shape, first {lost[0]}",
            "name a ViT whose weights all load: a half-loaded one would be trained from random weights",
        )
    weights: dict[str, torch.Tensor] = model.state_dict()
    return weights


def _load(module: torch.nn.Module, path: Path, tensors: dict[str, torch.Tensor]) -> None:
    try:
        module.load_state_dict({name: value.float() for name, value in tensors.items()})
    except RuntimeError as error:
        found = str(error).splitlines()[-1].strip()
        raise UserError(f"{path} does not fit its {CONFIG}", found, "copy the folder again") from None


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged", str(error), _COPY) from None
    if odd := not_finite(tensors):
        raise UserError(f"{path} is damaged", odd, _COPY)
    return tensors


def _require_our_pixels(folder: Path) -> None:
    """Raise UserError for a processor that says otherwise than we read pictures, whatever it says."""
    content = read_json(folder / PROCESSOR)
    said = [content.get(name) for name in ("image_mean", "image_std")] if isinstance(content, dict) else []
    if said != [[PIXEL_MEAN] * 3, [PIXEL_STD] * 3]:
        found = f"image_mean and image_std are {said}, where our detectors have {PIXEL_MEAN} and {PIXEL_STD}"
        raise UserError(f"{folder / PROCESSOR} has changed", found, "copy the folder again")


def _read_card(folder: Path) -> Card:
    content = read_json(folder / CARD)
    if not isinstance(content, dict) or "files" not in content:
        raise UserError(f"{folder / CARD} is no detector's card", "", "copy the folder again")
    try:
        about = fitted(content, _About)
    except DocumentError as error:
        raise UserError(f"{folder / CARD} is no detector's card", str(error), _COPY) from None
    if about.schema_number > SCHEMA:
        raise UserError(f"{folder} was written by a newer version", f"schema {about.schema_number}", "update")
    for name, stated in about.files.items():
        if not (folder / name).is_file() or sha256(folder / name) != stated:
            raise UserError(
                f"{folder / name} has changed", "its hash is not the card's", "copy the folder again"
            )
    try:
        return fitted(content, Card)
    except DocumentError as error:
        raise UserError(f"{folder / CARD} is no detector's card", str(error), _COPY) from None
