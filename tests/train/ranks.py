"""A tiny training for torchrun: `python -m torch.distributed.run … ranks.py ARCH FILE [die]`.

The first process writes the losses of 20 iterations to FILE, after all agree about the weights.
"""

import hashlib
import json
import os
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from faceswap.errors import UserError
from faceswap.geometry.geometry import HEAD_MODEL
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.train.data.batches import Batches, Feed
from faceswap.train.data.samples import SampleStore
from faceswap.train.distributed import Share, joined
from faceswap.train.follow import SharedStep, follow
from faceswap.train.run import Run
from faceswap.train.update.economy import Economy
from faceswap.train.update.steps import StepOptions
from faceswap.types import FaceType

# Among them all that a loss may ask for: critics of faces and codes, the swap and its style.
OPTIONS = {"DF-UD": {"gan_power": 0.1, "true_face_power": 0.01, "face_style_power": 1, "bg_style_power": 1}}
# Several processes compute their share in so many parts.
PARTS = {"DF-UD": 2}
ITERATIONS, BATCH, REDRAWN, CALMER = 20, 4, 12, 16
# Rounding grows with every AdaBelief step, and with its size: at 1e-3 it is 1e-3 after 20.
RATE = 1e-4


def store(count: int) -> SampleStore:
    """Smooth faces; noise would drown what is measured."""
    rng = np.random.default_rng(count)
    rough = torch.from_numpy(rng.random((count, 4, 5, 5), np.float32))
    smooth = torch.nn.functional.interpolate(rough, (64, 64), mode="bilinear")
    pixels = (smooth * 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    landmarks = np.repeat((0.12 * HEAD_MODEL[None, :, :2] + 32).astype(np.float32), count, axis=0)
    return SampleStore(pixels, tuple(map(str, range(count))), {}, landmarks=landmarks)


def train(arch: str, share: Share, dying: bool = False) -> list[tuple[float, float]]:
    """The losses; at REDRAWN a layer is changed and at CALMER options change, which only the leader knows."""
    torch.set_num_threads(1)
    own: dict[str, Any] = {"inter_dims": 32, "morph_factor": 0.5} if arch == "AMP" else {}
    spec = ModelSpec(Arch.parse(arch), 64, 32, 16, 16, 16, **own)
    run = Run(Path(), build(spec), FaceType.WHOLE, seed=3)
    options = StepOptions(learning_rate=RATE, **OPTIONS.get(arch, {}))
    economy = Economy(parts=PARTS.get(arch, 1) if share.world > 1 else 1)
    step = SharedStep(run.model, options, torch.device("cpu"), share=share, economy=economy)
    batches = Batches(store(7), store(5), BATCH, run.seed, share=share)
    losses: list[tuple[float, float]] = []
    if share.is_first:
        with step.led(run), closing(Feed(batches)) as feed:
            for iteration in range(ITERATIONS):
                if iteration == REDRAWN:
                    with torch.no_grad():
                        next(run.model.parameters()).mul_(0.5)
                if iteration == CALMER:
                    step.change(step.options.model_copy(update={"random_warp": False}), 0.5)
                made = step(feed.next(run.samples, step.options), run.seed, iteration)
                run.samples += BATCH
                losses.append((made.src, made.dst))
    else:
        if dying:
            os.kill(os.getpid(), signal.SIGKILL)
        follow(step, batches, run)
    weights = b"".join(value.numpy().tobytes() for value in run.model.state_dict().values())
    share.agree(hashlib.sha256(weights).hexdigest())
    return losses


if __name__ == "__main__":
    try:
        with joined(torch.device("cpu")) as (share, _):
            losses = train(sys.argv[1], share, dying="die" in sys.argv)
            if share.is_first:
                Path(sys.argv[2]).write_text(json.dumps(losses), encoding="utf-8")
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
