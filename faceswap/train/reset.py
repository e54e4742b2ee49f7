"""Part of a model drawn anew: LIAE's inter_AB, and what pretraining learnt of people."""

import shutil

import numpy as np

from faceswap.errors import UserError
from faceswap.learn import checkpoint
from faceswap.models.families import build
from faceswap.models.swap import SwapModel
from faceswap.train.run import Run

INTER = "inter_AB"


def check_part(model: SwapModel, part: str) -> None:
    """Raise UserError where the model has no such part."""
    if not hasattr(model, part):
        raise UserError(
            f"{model.spec.arch} has no {part} that could be drawn anew",
            "",
            "leave --reset-inter out; it is for LIAE",
        )


def redraw(model: SwapModel, part: str, seed: int, iteration: int) -> None:
    """Give a part of the model the first weights that follow from `seed` and `iteration`.

    The optimiser's moments stay, as DFL keeps them (deepfacelab.md §8.7): they know the gradients' scale.
    """
    fresh = build(model.spec, int(np.random.SeedSequence([seed, iteration]).generate_state(1)[0]))
    model.get_submodule(part).load_state_dict(fresh.get_submodule(part).state_dict())


_INTER = "inter"


def leave(run: Run, write: bool = True) -> str:
    """Draw the inters of a pretrained model anew and count from iteration 0 again (deepfacelab.md §8.7).

    The other parts and the optimiser's moments stay. Unlike DeepFaceLab's (§16.45), LIAE's inter_AB was
    trained until here; it is drawn anew all the same, as it has merged other people. The newest pretrained
    checkpoint is kept beside the others as NUMBER.pretrained, for `--base`. A process killed in between
    finds either that or the new one. write: False leaves the files to another process, else the caller holds
    the model's lock. Returns a sentence.
    """
    pretrained, seed = run.iteration, run.seed
    parts = [name for name, _ in run.model.named_children() if name.startswith(_INTER)]
    for part in parts:
        redraw(run.model, part, seed, pretrained)
    run.pretraining = False
    run.iteration = run.samples = run.phase = run.phase_since = 0
    if write:
        _start_over(run)
    return (
        f"pretraining ends after {pretrained} iterations: {', '.join(parts)} drawn anew, counting from 0; "
        f"the pretrained model is kept as checkpoints/{pretrained:08d}.pretrained"
    )


def _start_over(run: Run) -> None:
    # Older ones go first: a save keeps the newest two, and 0 is not the newest yet.
    newest, *older = checkpoint.saved(run.folder)
    for path in older:
        shutil.rmtree(path)
    run.save(run.tensors)
    kept = newest.with_name(f"{newest.name}.pretrained")
    shutil.rmtree(kept, ignore_errors=True)
    newest.rename(kept)
