"""A finished detector as a folder to hand on: transformers' files, a model card and, on request, ONNX."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from faceswap.detector.network.files import CARD, HEADLINE_FPR, Card, load_detector, save_detector
from faceswap.detector.network.model import LIMITATIONS, Shipped
from faceswap.errors import UserError
from faceswap.io.files import replace_folder, write_bytes

README, ONNX = "README.md", "model.onnx"


def export(folder: Path, output: Path, half: bool = True, onnx: bool = False) -> None:
    """Write the detector of `folder` to `output`: weights, patch head, calibration, README.md, model.onnx.

    half: weights in float16. The graph takes `input`, (B, 3, S, S) float32 in [-1, 1], and gives `logits`
    (B, 2), Real and Fake, not yet divided by the card's temperature, and `patches` (B, G, G).
    Raises UserError for an `output` that holds something else.
    """
    detector, card = load_detector(folder)
    if output.exists() and not (output / CARD).is_file():
        raise UserError(f"{output} is there and is no detector", "", "name another --output")
    output.parent.mkdir(parents=True, exist_ok=True)
    made = output.with_name(f".{output.name}.made")
    try:
        save_detector(made, detector, card, half)
        write_bytes(made / README, model_card(output.name, detector, card).encode())
        if onnx:
            _write_onnx(detector, made / ONNX)
        replace_folder(made, output)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def model_card(name: str, detector: Shipped, card: Card) -> str:
    """Markdown: what it is, how it was trained, on what and on which terms, every figure, its limits."""
    training = card.training
    recipe, data = training.get("recipe", {}), training.get("data", {})
    parameters = sum(weight.numel() for weight in detector.parameters())
    terms = "\n".join(f"| {name} | {licence} |" for name, licence in sorted(data.items()))
    figures = "\n\n".join(
        f"### {split}\n\n{_table(found)}" for split, found in card.figures.items() if _is_report(found)
    )
    return f"""# {name}

A small forensic network ({detector.config.model_type}, {parameters / 1e6:.2f} million parameters,
crops of {detector.input_px} px): image classification, Real 0 and Fake 1, and a map of the patches that
look foreign. It is a calibrated instrument for the swaps of this workbench. Do not use it to judge
people's pictures.

`AutoModelForImageClassification.from_pretrained` opens the folder; temperature and thresholds are in
`{CARD}`.

## Training

{training.get("pictures", 0):,} pictures in {training.get("seconds", 0) / 60:.0f} minutes,
arm {recipe.get("arm", "unknown")}{" with patches" if recipe.get("patches") else ""},
seed {training.get("seed", 0)}, left out: {training.get("left_out") or "nothing"},
set {training.get("manifest", "unknown")[:16]}.

| data | terms |
|---|---|
{terms}

## Measured

Intervals are 95 %, over people. Temperature {card.temperature:.3f}.

{figures or "Nothing yet: python -m stages.detector evaluate"}

## Limits

{chr(10).join(f"- {limit}" for limit in LIMITATIONS)}
"""


def _is_report(found: Any) -> bool:
    return isinstance(found, Mapping) and isinstance(found.get("all"), Mapping)


def _table(found: Mapping[str, Any]) -> str:
    lines = [
        "| fakes | AUC | average precision | at 5 %: caught, false | calibration error | pointing | IoU |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, row in found.items():
        span, at, where = row["auc_interval"], row["at_threshold"][HEADLINE_FPR], row["localisation"]
        lines.append(
            f"| {kind} | {row['auc']:.3f} [{span['low']:.3f}, {span['high']:.3f}] "
            f"| {row['average_precision']:.3f} | {at['tpr']:.3f}, {at['fpr']:.3f} "
            f"| {row['calibration_error']:.3f} | {where['pointing']:.2f} | {where['iou']:.2f} |"
        )
    return "\n".join(lines)


class _TwoOutputs(nn.Module):
    def __init__(self, detector: Shipped) -> None:
        super().__init__()
        self.detector = detector
        self.training = detector.training

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        judged = self.detector(x)
        return judged.logits, judged.patch_logits


def _write_onnx(detector: Shipped, path: Path) -> None:
    # It needs onnx, which only training face models and this ask for.
    try:
        from faceswap.facepack.export import export_onnx
    except ImportError as error:
        raise UserError("--onnx needs more packages", str(error), "pip install '.[facepack]'") from None
    axes = {name: {0: "batch"} for name in ("input", "logits", "patches")}
    example = torch.zeros(2, 3, detector.input_px, detector.input_px)
    export_onnx(_TwoOutputs(detector), example, path, ["logits", "patches"], axes)
