"""6 train: learn to draw the source's face on the destination's expressions

    python -m stages.train --workspace DIR --arch LIAE-UD

The same command continues a model; its architecture stays, other options may change and are remembered.
Watch it in a window, `python -m stages.preview`, or look at preview.png, loss.png, quality.png and log.txt in
model/NAME while it runs. Ctrl-C and a closed terminal save and end.

Options may change while it trains: edit model/NAME/train.json and save it. It is read again within a second;
what cannot be used is said and changes nothing, what needs a new start (batch size, device, …) is said, too.

A preset with "phases" is a recipe, as `--preset recipe`. A phase has a "name", "settings" that hold in it
over all others, and ends after its "iterations", or by "plateau": true when the error falls no more.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from faceswap.align.packs import find_pack
from faceswap.config import FaceTypeOption, option, read_preset, run_stage
from faceswap.console import say, warn
from faceswap.errors import UserError
from faceswap.faceset.store import Faceset, has_faces
from faceswap.faceset.stored_masks import counted, masks_of
from faceswap.io.documents import read_settings
from faceswap.io.lock import FolderLock
from faceswap.learn import checkpoint
from faceswap.media.dynamic_range import warn_of_ranges
from faceswap.models.arch import Arch
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype, keep_freed_memory
from faceswap.train import settings as schedule
from faceswap.train.data.cache import find_samples, open_samples
from faceswap.train.data.samples import SampleStore, hold_back
from faceswap.train.log import Journal
from faceswap.train.options import StepOptions
from faceswap.train.schedule import ActiveOptions, LiveOptions
from faceswap.train.settings import FIXED, HEADINGS, ScheduleSettings
from faceswap.train.update.economy import Economy, default_batch_size
from faceswap.types import FaceType, Side
from faceswap.walk import next_step

if TYPE_CHECKING:
    import torch

    from faceswap.train.distributed import Share
    from faceswap.train.run import Run

SETTINGS_FILE = "train.json"
# What a step may change from one iteration to the next.
STEP = frozenset(StepOptions.model_fields)
# What continuing a model takes from its last run, unless it is typed anew.
REMEMBERED = (schedule.REMEMBERED | STEP) | {
    "src", "dst", "pretrain_faces", "batch_size", "accumulate", "checkpointing", "compile",
}  # fmt: skip


class Settings(StepOptions, ScheduleSettings):
    groups: ClassVar = HEADINGS

    model: str | None = option(None, "name of the model (default: the only one, else new)")
    arch: str = option(
        "LIAE-UD",
        "DF or LIAE, a dash, and any of U (likeness), D (double resolution), T (deeper), C (x·cos x); "
        "or AMP (morphs), or QUICK96 (small, to look soon)",
    )
    resolution: int = option(
        128, "side of the face, a multiple of 16, of 32 with D, T or AMP (AMP: 224)", unit="px", ge=64, le=640
    )
    ae_dims: int = option(256, "width of the bottleneck", ge=32, le=1024)
    inter_dims: int | None = option(None, "AMP: channels of a code (default: 1024)", ge=32, le=2048)
    morph_factor: float | None = option(
        None, "AMP: share of them that are src's own; less is more like src (default: 0.5)", ge=0.1, le=0.5
    )
    encoder_dims: int = option(64, "base channels of the encoder, even", ge=16, le=256)
    decoder_dims: int = option(64, "base channels of the decoder, even", ge=16, le=256)
    mask_dims: int | None = option(
        None, "base channels of the mask decoder (default: decoder-dims/3)", ge=16, le=256
    )
    face_type: FaceTypeOption = option(FaceType.WHOLE, "how much of the head a face shows")
    base: str | None = option(None, "start a new model from a bundled base, a model folder or a checkpoint")
    src: Path | None = option(None, "source faceset (default: data_src/aligned)")
    dst: Path | None = option(None, "destination faceset (default: data_dst/aligned)")
    pretrain_faces: Path | None = option(None, "faceset of many people, for --pretrain")
    batch_size: int | None = option(
        None, "faces of each side an iteration (default: 8, on a CPU 4)", ge=1, le=1024
    )
    accumulate: int = option(
        1, "let an iteration add up so many batches: a larger batch in the same memory", ge=1, le=256
    )
    checkpointing: bool = option(
        False, "compute activations twice instead of keeping them: less memory, a third more arithmetic"
    )
    compile: bool = option(False, "have torch make kernels for this model first; may pay on a GPU")
    plan: bool = option(False, "only predict memory, speed and duration on this device, and what fits")
    seed: int = option(0, "of first weights, order and augmentation of a new model", ge=0, le=2**31 - 1)
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the networks; auto is bf16 where it is faster")

    def writes(self) -> Iterable[Path]:
        # Of the processes that torchrun starts only the first one writes.
        is_first = os.environ.get("RANK", "0") == "0"
        return [self.place.model(self.model, new=True)] if is_first and not self.plan else []

    def reads(self) -> Iterable[Path]:
        sets = folders(self).values()
        return [*sets, *map(masks_of, sets)]


def main(cfg: Settings) -> None:
    # Before anything is looked for: a misspelt letter should not first be answered with another lack.
    Arch.parse(cfg.arch)
    folder = cfg.place.model(cfg.model, new=True)
    cfg = remember(cfg, folder)
    for faces in () if cfg.plan else folders(cfg).values():
        if not has_faces(faces):
            Faceset.open(faces)  # Says what is there instead.
    # torch takes seconds to import; what is missing should be said at once.
    from faceswap.train.distributed import joined

    device = choose_device(cfg.device)
    keep_freed_memory(device)
    warn_of_ranges(cfg.place)
    with joined(device) as (share, device):
        if not cfg.plan:
            open_and_train(cfg, folder, device, share)
        elif share.is_first:
            show_plan(cfg, folder, device, share)


def open_and_train(cfg: Settings, folder: Path, device: "torch.device", share: "Share") -> None:
    """Open model and faces, and train as this process's share says."""
    from faceswap.train import reset
    from faceswap.train.run import open_run

    with share.first():
        run = open_run(folder, asked(cfg), cfg.seed, cfg.base)
        known = run.face_type, run.model.spec.resolution, run.folder / "cache"
        facesets = {label: find_samples(path, *known, label) for label, path in folders(cfg).items()}
        orders(cfg, run, {})  # Refuses what does not fit the model before anything is written.
        share.check(cfg.batch_size or default_batch_size(device, share.world))
        if cfg.held_back:
            find_pack(cfg.face_models)
        # Two that are started at once shall not change each other's settings and faces.
        with FolderLock(folder) if share.is_first else nullcontext():
            for note in run.notes:
                say(note)
            if run.pretraining and not cfg.pretrain:
                say(reset.leave(run, write=share.is_first))
            run.pretraining = cfg.pretrain
            cfg = resolve(cfg, run, device, share)
            if share.is_first:
                cfg.save(folder / SETTINGS_FILE)
            if cfg.iterations is not None and run.iteration >= cfg.iterations:
                say(f"already at iteration {run.iteration}: type a larger --iterations to go on")
                return
            samples = [load(faceset, label, cfg, run) for label, faceset in facesets.items()]
    train(cfg, run, device, (samples[0], samples[-1]), share)
    say(f"trained to iteration {run.iteration}; look at {folder / 'preview.png'}")
    words = ("pretrain", "--no-pretrain") if cfg.pretrain else ("train",)
    say(f"next: {next_step(cfg.place, *words, '--model', folder.name)}")


def folders(cfg: Settings) -> dict[str, Path]:
    """The facesets to train on, by the name of their cache."""
    if not cfg.pretrain:
        return {side: getattr(cfg, side) or cfg.place.aligned(side) for side in Side}
    if cfg.pretrain_faces is None:
        raise UserError("--pretrain needs faces of many people", "", "type --pretrain-faces FOLDER, too")
    return {"pretrain": cfg.pretrain_faces}


def show_plan(cfg: Settings, folder: Path, device: "torch.device", share: "Share") -> None:
    """Say what training takes with these settings, or with those of the model in `folder`; writes nothing."""
    from faceswap.train.base import describe
    from faceswap.train.plan import PROBE_S, plan, report
    from faceswap.train.run import open_run

    run = open_run(folder, asked(cfg), cfg.seed, cfg.base)
    batch_size = cfg.batch_size or default_batch_size(device, share.world)
    share.check(batch_size)
    batch = batch_size * cfg.accumulate
    say(f"{describe(run.model.spec)}: trying it for {PROBE_S:.0f} seconds")
    rows = plan(run.model, orders(cfg, run, {}).options, batch, device, world=share.world)
    for line in report(rows, run.model, batch, device):
        say(line)


def train(
    cfg: Settings,
    run: "Run",
    device: "torch.device",
    samples: tuple[SampleStore, SampleStore],
    share: "Share",
) -> None:
    """Train as `cfg` says until its target, its time or a stop."""
    from faceswap.train.base import describe
    from faceswap.train.data.batches import Batches
    from faceswap.train.follow import SharedStep, follow
    from faceswap.train.quality import make_judge
    from faceswap.train.trainer import Trainer
    from faceswap.train.viewer import Board

    dtype = choose_dtype(cfg.precision, device)
    batch_size = cfg.batch_size or default_batch_size(device)
    share.check(batch_size)
    economy = Economy(cfg.accumulate, cfg.checkpointing, cfg.compile)
    batch = batch_size * economy.parts
    say(f"computing on {device} in {str(dtype).removeprefix('torch.')}, batch size {batch}")
    dst, held = hold_back(samples[1], cfg.held_back)
    # In pretraining both sides are of one set, and what is held back of one is of the other.
    src = dst if cfg.pretrain else samples[0]
    conditions = {
        "batch_size": batch, "device": str(device), "precision": str(dtype).removeprefix("torch."),
        "src_faces": len(src), "dst_faces": len(dst),
    }  # fmt: skip
    for note in run.under(conditions):
        say(f"not exactly as without a stop: {note}")
    live_options = LiveOptions(
        run, run.folder / SETTINGS_FILE, (STEP - {"pretrain"}) | schedule.LIVE,
        lambda changes: orders(cfg, run, changes), cfg.phases if cfg.recipe else (), Journal(run.folder),
    )  # fmt: skip
    step = SharedStep(run.model, live_options.orders().options, device, dtype, share=share, economy=economy)
    for note in step.load_tensors(run.tensors):
        say(note)
    batches = Batches(src, dst, batch, run.seed, pinned=device.type == "cuda", share=share)
    known = f"{describe(run.model.spec)} at iteration {run.iteration}, {len(src)} and {len(dst)} faces"
    share.agree(known, *src.names, *dst.names)
    if not share.is_first:
        follow(step, batches, run)
        return
    judge = make_judge(held, src, cfg.face_models, run.face_type)
    with ExitStack() as stack:
        stack.enter_context(step.led(run))
        board = stack.enter_context(closing(Board(run.folder, run.iteration))) if cfg.tensorboard else None
        if board:
            say(board.hint)
        Trainer(
            run, step, batches, cfg.schedule(), live_options=live_options, judge=judge, board=board
        ).train()


def orders(cfg: Settings, run: "Run", changes: Mapping[str, Any]) -> ActiveOptions:
    """How to train with some of the settings changed; UserError for what cannot be."""
    cfg = Settings.of(cfg.model_dump() | dict(changes))
    if cfg.reset_inter:
        from faceswap.train.reset import INTER, check_part

        check_part(run.model, INTER)
    options = StepOptions(**{name: getattr(cfg, name) for name in STEP})
    options.check(run.model.spec)
    return ActiveOptions(options, cfg.schedule())


def load(found: SampleStore | Faceset, label: str, cfg: Settings, run: "Run") -> SampleStore:
    """The faces at the model's size, and a line about each that cannot be used."""
    if isinstance(found, Faceset):
        found = open_samples(found, run.face_type, run.model.spec.resolution, run.folder / "cache", label)
    for name, reason in found.skipped.items():
        warn(f"{name} is left out: {reason}")
    say(f"{label}: {len(found)} faces from {folders(cfg)[label]}; {counted(found.masks)}")
    return found


def remember(cfg: Settings, folder: Path) -> Settings:
    """`cfg` with what was not typed as it was in the model's last run, or is in its family's preset."""
    path = folder / SETTINGS_FILE
    typed = {name: getattr(cfg, name) for name in cfg.model_fields_set}
    if not (path.is_file() and checkpoint.exists(folder)):
        quick = Arch.parse(cfg.arch).family == "QUICK96"
        return Settings.of((read_preset("quick96", Settings) if quick else {}) | typed)
    values = read_settings(path, "delete it: the model does not need it")
    if unknown := sorted(set(values) - set(Settings.model_fields)):
        warn(f"{path} sets what there is not, which is left out: {', '.join(unknown)}")
    kept = {name: value for name, value in values.items() if name in REMEMBERED and name not in typed}
    try:
        Settings.of(kept)
    except UserError as error:
        hint = "correct it there, or type another value"
        raise UserError(f"{path} holds what cannot be used", error.found, hint) from None
    return Settings.of(kept | typed)


def asked(cfg: Settings) -> dict[str, Any]:
    """What was typed of that which a model keeps for life."""
    typed = {name: getattr(cfg, name) for name in FIXED if name in cfg.model_fields_set}
    return {name: value for name, value in typed.items() if value is not None}


def resolve(cfg: Settings, run: "Run", device: "torch.device", share: "Share") -> Settings:
    """`cfg` as it is used and saved: the model's own architecture, and a batch size for the device."""
    fixed = run.model.spec.to_json() | {"face_type": run.face_type, "seed": run.seed, "base": run.base}
    batch_size = cfg.batch_size or default_batch_size(device, share.world)
    return cfg.model_copy(update=fixed | {"batch_size": batch_size})


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
