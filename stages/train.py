"""6 train: learn to draw the source's face on the destination's expressions

    python -m stages.train --workspace DIR --arch LIAE-UD

The same command continues a model; its architecture stays, other options may change and are remembered.
Look at model/NAME/preview.png and loss.png while it runs. Ctrl-C saves and ends.
"""

from pathlib import Path
from typing import Any

import torch

from faceswap.config import FaceTypeOption, StageSettings, option, run_stage
from faceswap.console import command, say, warn
from faceswap.faceset.store import Faceset
from faceswap.faceset.stored_masks import counted
from faceswap.io import checkpoint
from faceswap.io.files import read_json
from faceswap.models.arch import Arch
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype
from faceswap.train.batches import Batches
from faceswap.train.run import FIXED, Run, open_run
from faceswap.train.samples import SampleStore, check_face_type, open_samples
from faceswap.train.steps import StepOptions, TrainStep
from faceswap.train.trainer import Schedule, Trainer
from faceswap.types import FaceType, Side

# What continuing a model takes from its last run, unless it is typed anew.
REMEMBERED = {
    "src", "dst", "batch_size", "learning_rate", "masked_training", "random_warp", "random_src_flip",
    "random_dst_flip", "save_minutes", "preview_seconds",
}  # fmt: skip


class Settings(StageSettings):
    model: str | None = option(None, "name of the model (default: the only one, else new)")
    arch: str = option(
        "LIAE-UD", "DF or LIAE, a dash, and any of U (likeness), D (double resolution), T (deeper)"
    )
    resolution: int = option(
        128, "side of the face, a multiple of 16, or of 32 with D or T", unit="px", ge=64, le=640
    )
    ae_dims: int = option(256, "width of the bottleneck", ge=32, le=1024)
    encoder_dims: int = option(64, "base channels of the encoder, even", ge=16, le=256)
    decoder_dims: int = option(64, "base channels of the decoder, even", ge=16, le=256)
    mask_dims: int | None = option(
        None, "base channels of the mask decoder (default: decoder-dims/3)", ge=16, le=256
    )
    face_type: FaceTypeOption = option(FaceType.WHOLE, "how much of the head a face shows")
    base: str | None = option(None, "start a new model from a bundled base, a model folder or a checkpoint")
    src: Path | None = option(None, "source faceset (default: data_src/aligned)")
    dst: Path | None = option(None, "destination faceset (default: data_dst/aligned)")
    batch_size: int | None = option(
        None, "faces of each side an iteration (default: 8, on a CPU 4)", ge=1, le=1024
    )
    learning_rate: float = option(5e-5, "step size of AdaBelief; DeepFaceLab's", ge=1e-8, le=1e-2)
    masked_training: bool = option(True, "compare faces inside their mask only")
    random_warp: bool = option(True, "warp the inputs; switch off late, for sharpness")
    random_src_flip: bool = option(False, "mirror source faces at random")
    random_dst_flip: bool = option(True, "mirror destination faces at random")
    iterations: int | None = option(None, "stop when the model has had so many iterations in all", ge=1)
    minutes: float | None = option(None, "stop this run after so long", unit="minutes", ge=0.01)
    save_minutes: float = option(10.0, "time between saves", unit="minutes", ge=0.05, le=1440)
    preview_seconds: float = option(60.0, "time between previews", unit="s", ge=1, le=86400)
    seed: int = option(0, "of first weights, order and augmentation of a new model", ge=0, le=2**31 - 1)
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the networks; auto is bf16 where it is faster")


def main(cfg: Settings) -> None:
    # Before anything is looked for: a misspelt letter should not first be answered with another lack.
    Arch.parse(cfg.arch)
    folder = cfg.place.model(cfg.model, new=True)
    cfg = remember(cfg, folder)
    device = choose_device(cfg.device)
    folders = (cfg.src or cfg.place.aligned(Side.SRC), cfg.dst or cfg.place.aligned(Side.DST))
    facesets = [Faceset.open(path) for path in folders]
    run = open_run(folder, asked(cfg), cfg.seed, cfg.base)
    for faceset in facesets:
        check_face_type(faceset, run.face_type)
    for note in run.notes:
        say(note)
    cfg = resolve(cfg, run, device)
    cfg.save(folder / "train.json")
    if cfg.iterations is not None and run.iteration >= cfg.iterations:
        say(f"already at iteration {run.iteration}: type a larger --iterations to go on")
        return
    train(cfg, run, device, [load(faceset, side, run) for side, faceset in zip(Side, facesets, strict=True)])
    say(f"trained to iteration {run.iteration}; look at {folder / 'preview.png'}")
    say(f"next: {command('stages.merge', '--workspace', cfg.workspace, '--model', folder.name)}")


def train(cfg: Settings, run: Run, device: torch.device, samples: list[SampleStore]) -> None:
    """Train as `cfg` says until its target, its time or a stop."""
    dtype = choose_dtype(cfg.precision, device)
    batch_size = cfg.batch_size or default_batch_size(device)
    say(f"computing on {device} in {str(dtype).removeprefix('torch.')}, batch size {batch_size}")
    options = StepOptions(
        cfg.learning_rate, cfg.masked_training, cfg.random_warp, cfg.random_src_flip, cfg.random_dst_flip
    )
    step = TrainStep(run.model, options, device, dtype)
    step.load_optimizer(run.optimizer)
    batches = Batches(samples[0], samples[1], batch_size, run.seed, pinned=device.type == "cuda")
    schedule = Schedule(cfg.iterations, cfg.minutes, cfg.save_minutes, cfg.preview_seconds)
    Trainer(run, step, batches, schedule).train()


def load(faceset: Faceset, side: Side, run: Run) -> SampleStore:
    """The faces of one side at the model's size, and a line about each that cannot be used."""
    samples = open_samples(faceset, run.face_type, run.model.spec.resolution, run.folder / "cache", side)
    for path in faceset.strangers:
        warn(f"{path.name} carries no face metadata and is left out")
    for name, reason in samples.skipped.items():
        warn(f"{name} is left out: {reason}")
    say(f"{side}: {len(samples)} faces from {faceset.folder}; {counted(samples.masks)}")
    return samples


def remember(cfg: Settings, folder: Path) -> Settings:
    """`cfg` with what was not typed this time as it was in the model's last run."""
    path = folder / "train.json"
    if not path.is_file() or not checkpoint.exists(folder):
        return cfg
    last = read_json(path).get("settings", {})
    kept = {name: value for name, value in last.items() if name in REMEMBERED}
    return Settings(**(kept | {name: getattr(cfg, name) for name in cfg.model_fields_set}))


def asked(cfg: Settings) -> dict[str, Any]:
    """What was typed of that which a model keeps for life."""
    typed = {name: getattr(cfg, name) for name in FIXED if name in cfg.model_fields_set}
    return {name: value for name, value in typed.items() if value is not None}


def resolve(cfg: Settings, run: Run, device: torch.device) -> Settings:
    """`cfg` as it is used and saved: the model's own architecture, and a batch size for the device."""
    fixed = run.model.spec.to_json() | {"face_type": run.face_type, "seed": run.seed, "base": run.base}
    return cfg.model_copy(update=fixed | {"batch_size": cfg.batch_size or default_batch_size(device)})


def default_batch_size(device: torch.device) -> int:
    return 4 if device.type == "cpu" else 8


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
