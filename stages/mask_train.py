"""5.1 mask_train: teach the mask network your labelled faces

    python -m stages.mask_train --workspace DIR --minutes 10

Trains on all faces of both sets that were marked in mask_edit; where none is, on their stored masks. A new
model starts from the bundled one; the same command continues it. Look at model/NAME/preview.png.

    python -m stages.mask_train --generic --minutes 50 --input-px 128 --output .work/masks/small
    python -m stages.mask_train --generic --minutes 230 --base .work/masks/run_128 --learning-rate 1e-3
    python -m stages.mask_train --measure

These train the bundled model itself, on small crops first, which takes a quarter of the time, and examine
it. Either training is continued by its own command.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceswap.config import FaceTypeOption, StageSettings, option, run_stage
from faceswap.console import command, say
from faceswap.errors import UserError
from faceswap.faceset.store import Faceset, has_faces
from faceswap.faceset.stored_masks import masks_of
from faceswap.io.files import write_json
from faceswap.masks.selection import BUNDLED, DEFAULT
from faceswap.models.arch import ENCODER, SegmenterArch
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype, keep_freed_memory
from faceswap.types import FaceType, Side
from faceswap.workspace import MASK_SETTINGS, assets

if TYPE_CHECKING:
    import torch

# What decides the network and what a face is: chosen once, when the model is new.
FIXED = ("arch", "encoder", "input_px", "face_type")


class Settings(StageSettings):
    model: str = option(DEFAULT, "name of the mask model")
    base: str | None = option(
        None, "what a new model starts from: bundled, scratch or DIR (default: bundled, for xseg scratch)"
    )
    arch: SegmenterArch = option("unet", "network of a model from scratch; xseg is DeepFaceLab's")
    encoder: str = option(ENCODER, "encoder of a unet from scratch, as smp calls it")
    encoder_weights: str | None = option(None, "published weights to start the encoder from, as imagenet")
    input_px: int = option(256, "side of the crops the network sees", unit="px", ge=64, le=1024)
    face_type: FaceTypeOption = option(FaceType.WHOLE, "how much of the head a model from scratch sees")
    src: Path | None = option(None, "source faceset (default: data_src/aligned)")
    dst: Path | None = option(None, "destination faceset (default: data_dst/aligned)")
    batch_size: int = option(8, "faces an iteration", ge=2, le=256)
    learning_rate: float | None = option(
        None, "step size of AdamW (default: 2e-3 from scratch, 3e-4 from a base)", ge=1e-7, le=0.1
    )
    iterations: int | None = option(None, "stop when the model has had so many iterations in all", ge=1)
    minutes: float | None = option(None, "stop after training so long", unit="minutes", ge=0.01)
    until_iou: float | None = option(None, "stop when a held-out tenth of the labels is met so well", le=1)
    save_minutes: float = option(5.0, "time between saves", unit="minutes", ge=0.05, le=1440)
    preview_seconds: float = option(60.0, "time between previews", unit="s", ge=1, le=86400)
    workers: int = option(2, "threads that make training pictures", ge=0, le=64)
    seed: int = option(0, "of first weights, order and augmentation of a new model", ge=0, le=2**31 - 1)
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the network; auto is bf16 where it is faster")
    generic: bool = option(False, "train the bundled model on --data instead")
    measure: bool = option(False, "examine the model in --output on the held-back people of --data instead")
    data: Path = option(Path("../shared/data"), "with --generic, --measure: folder of the training data")
    unrestricted: bool = option(False, "with --generic: only train on what no terms restrict, the stills")
    work: Path = option(Path(".work/masks"), "with --generic: folder for its faces and its state")
    output: Path = option(assets() / "masks" / "generic", "with --generic, --measure: the model's folder")

    def writes(self) -> Iterable[Path]:
        if self.generic:
            return [self.work / f"run_{self.input_px}", self.output]
        return [] if self.measure else [self.place.model(self.model, new=True)]

    def reads(self) -> Iterable[Path]:
        named = [getattr(self, side) or self.place.aligned(side) for side in Side]
        return [] if self.generic or self.measure else [*named, *map(masks_of, named)]


def main(cfg: Settings) -> None:
    # torch takes seconds to import; what is missing should be said at once.
    facesets = [] if cfg.measure or cfg.generic else open_facesets(cfg)
    device = choose_device(cfg.device)
    keep_freed_memory(device)
    dtype = choose_dtype(cfg.precision, device)
    if cfg.measure:
        measure(cfg, device, dtype)
    elif cfg.generic:
        train_bundled(cfg, device, dtype)
    else:
        train_labelled(cfg, facesets, device, dtype)


def train_labelled(
    cfg: Settings, facesets: list[Faceset], device: "torch.device", dtype: "torch.dtype"
) -> None:
    """Train model/NAME on the labels of both facesets until the target, the time or a stop."""
    from faceswap.learn.loop import Schedule, train
    from faceswap.masks.train.augment import Augmenter, AugmentSettings
    from faceswap.masks.train.data import collect_labels
    from faceswap.masks.train.run import SCRATCH, open_run
    from faceswap.masks.train.train import MaskTask, RunCheckpointer

    folder = cfg.place.model(cfg.model, new=True)
    base = cfg.base or (SCRATCH if cfg.arch == "xseg" else BUNDLED)
    run = open_run(folder, asked(cfg), cfg.seed, base, cfg.encoder_weights)
    for note in run.notes:
        say(note)
    if cfg.iterations is not None and run.iteration >= cfg.iterations:
        say(f"already at iteration {run.iteration}: type a larger --iterations to go on")
        return
    cache = folder / "cache"
    labels = collect_labels(facesets, run.face_type, run.spec.input_px, cache, cfg.until_iou is not None)
    say(f"training on {labels.origin}")
    cfg.save(folder / MASK_SETTINGS)
    augmenter = Augmenter(labels.samples, AugmentSettings(), run.spec.input_px, seed=run.seed)
    rate = cfg.learning_rate or run.rate
    task = MaskTask(run.network, augmenter, cfg.batch_size, rate, device, dtype)
    keeper = RunCheckpointer(
        run, task, labels.samples, labels.held_out, device, dtype, cfg.until_iou, cfg.minutes,
        cfg.preview_seconds,
    )  # fmt: skip
    schedule = Schedule(
        cfg.iterations or float("inf"), 0.0, run.seed, False, cfg.workers, 60 * cfg.save_minutes
    )
    train(task, keeper, schedule)
    say(f"look at {folder / 'preview.png'}")
    say(f"next: {command('stages.mask_apply', '--workspace', cfg.workspace, '--model', folder.name)}")


def open_facesets(cfg: Settings) -> list[Faceset]:
    """Both facesets; one may be missing where it was not named."""
    asked = {side: getattr(cfg, side) or cfg.place.aligned(side) for side in Side}
    named = {side for side in Side if getattr(cfg, side) is not None}
    present = [path for side, path in asked.items() if side in named or has_faces(path)]
    return [Faceset.open(path) for path in present or asked.values()]


def asked(cfg: Settings) -> dict[str, Any]:
    """What was typed of that which a model keeps for life."""
    return {name: getattr(cfg, name) for name in FIXED if name in cfg.model_fields_set}


def train_bundled(cfg: Settings, device: "torch.device", dtype: "torch.dtype") -> None:
    """Train the bundled model on the data that may train what ships, its state kept in --work."""
    from faceswap.facepack.make import use_threads
    from faceswap.learn.loop import Schedule
    from faceswap.masks.train.generic import generic_samples, train_generic
    from faceswap.masks.train.generic_labels import SOURCES, UNRESTRICTED
    from faceswap.masks.train.run import SCRATCH, open_run

    if cfg.minutes is None and cfg.iterations is None:
        raise UserError("--generic needs an end, towards which its steps shrink", "", "add --minutes 90")
    use_threads(0)
    samples = generic_samples(cfg.data, cfg.work)
    folder = cfg.work / f"run_{cfg.input_px}"
    # A base on smaller crops must not decide the size.
    wanted = asked(cfg) | {"input_px": cfg.input_px}
    run = open_run(folder, wanted, cfg.seed, cfg.base or SCRATCH, cfg.encoder_weights)
    for note in run.notes:
        say(note)
    schedule = Schedule(
        cfg.iterations or 1, cfg.minutes or 0.0, run.seed, workers=cfg.workers,
        save_every_s=60 * cfg.save_minutes,
    )  # fmt: skip
    rate = cfg.learning_rate or run.rate
    sources = UNRESTRICTED if cfg.unrestricted else SOURCES
    train_generic(run, samples, sources, cfg.output, schedule, cfg.batch_size, rate, device, dtype)
    say(f"next: {command('stages.mask_train', '--measure', '--data', cfg.data)}")


def measure(cfg: Settings, device: "torch.device", dtype: "torch.dtype") -> None:
    """Write measured.json beside the model in --output, and pictures of its worst faces into --work."""
    from faceswap.masks.segmenter import load_segmenter
    from faceswap.masks.train import measure as exams

    scores = exams.measure(load_segmenter(cfg.output, device, dtype), cfg.data, cfg.work)
    write_json(cfg.output / "measured.json", scores)
    say(exams.table(scores))
    say(f"the worst faces of each set are in {cfg.work / 'worst'}")


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
