"""The README.md of a fine-tuned model: what it was made from, what it is worth, its limits."""

from faceswap.detector.finetune.folders import TEST, TRAIN, VALIDATION
from faceswap.detector.measures.probes import LIMIT
from faceswap.detector.network.model import LIMITATIONS
from faceswap.types import Json

_HEADER = """---
library_name: transformers
pipeline_tag: image-classification
license: other
license_name: terms-of-its-training-data
tags:
- image-classification
- image-forensics
- research
---
"""


def model_card(name: str, metrics: Json) -> str:
    """Markdown with the header that model hubs read. metrics: as outcome.finetune returns them."""
    test, recipe, kept = metrics["test"], metrics["recipe"], metrics["kept"]
    counts = "\n".join(
        f"| {side} | {count['Real']} | {count['Fake']} |" for side, count in metrics["counts"].items()
    )
    (true_reals, false_fakes), (false_reals, true_fakes) = test["confusion"]
    span = test["auc_interval"]
    interval = (
        f" (95 % interval over people and clips {span['low']:.3f} to {span['high']:.3f})" if span else ""
    )
    return f"""{_HEADER}
# {name}

A forensic research model: an image classifier, Real 0 and Fake 1, fine-tuned on one user's own folder.
It says how much a picture resembles the fakes of that folder, and nothing more.

## Training

State: **{metrics["state"]}**. Recipe `{recipe["name"]}`: {recipe["epochs"]} epochs,
rate {recipe["learning_rate"]:g}, batch {recipe["batch"]}, weight decay {recipe["weight_decay"]:g},
classes {_balanced(recipe)}, seed {recipe["seed"]}.
Started from: {metrics["base"]["name"]}. Pictures: {metrics["pictures"]}, {metrics["input_px"]} px.
The weights are those of iteration {kept["iteration"]}, which had the lowest loss on the {VALIDATION} side.
{_overfitting(metrics)}
| side | Real | Fake |
|---|---|---|
{counts}

Copies of one file, and the people and clips that the user named, are on one side only. Balancing touched the
{TRAIN} side alone; by the {TEST} side nothing was chosen.

## Measured on the {TEST} side

| | |
|---|---|
| AUC | {test["auc"]:.3f}{interval} |
| accuracy at 0.5 | {test["accuracy"]:.3f} (one answer for all: {_one_answer(test):.3f}) |
| macro F1 | {test["macro_f1"]:.3f} |
| Real called Real, called Fake | {true_reals}, {false_fakes} |
| Fake called Real, called Fake | {false_reals}, {true_fakes} |
| no face found, left out | {_faceless(metrics)} |
{_shortcuts(metrics)}
Pictures of other people, cameras, codecs and forgeries will give lower figures than these.

## Limits

{chr(10).join(f"- {limit}" for limit in LIMITATIONS)}

## Terms

The training pictures are the user's own collection, whose terms this program does not know; those of the
base apply as well. Who publishes this model has to make sure that both allow it.
"""


def _one_answer(test: Json) -> float:
    return float(max(test["prevalence"], 1 - test["prevalence"]))


def _balanced(recipe: Json) -> str:
    return "balanced" if recipe["balance"] else "as they are"


def _overfitting(metrics: Json) -> str:
    began = metrics["overfitting"]
    return f"It over-fitted from iteration {began['iteration']} on.\n" if began else ""


def _faceless(metrics: Json) -> str:
    return ", ".join(f"{100 * share:.1f} % of {name}" for name, share in metrics["faceless"].items())


def _shortcuts(metrics: Json) -> str:
    high = {name: value for name, value in metrics["shortcuts"].items() if value > LIMIT}
    if not high:
        return ""
    told = ", ".join(f"{name} {value:.2f}" for name, value in high.items())
    return (
        f"\n**Warning.** Cheap features that know nothing of faces also tell the classes apart: {told}.\n"
        "Perhaps how the files were made has been learned, not the forgery.\n"
    )
