"""The sub-commands of stages.detector that train: train, crossval, harden, finetune.

What they need is imported when they run, so that --help is there at once.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from faceswap.config import StageSettings, option
from faceswap.console import command, say
from faceswap.errors import UserError
from faceswap.io.files import write_json
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype
from stages.detector.settings import JudgeSettings, need

if TYPE_CHECKING:
    from faceswap.detector.training.fit import Fit


class TrainSettings(JudgeSettings):
    output: Path | None = option(None, "folder of the training; the detector is its `best`")
    family: Literal["vit", "cvt", "cnn"] = option("cvt", "network; cnn is the control")
    input_px: int = option(128, "side of a crop, a multiple of 16", unit="px", ge=32, le=384)
    arm: Literal["scratch", "ssl+ft", "ssat"] = option("scratch", "reconstruction: none, before, or beside")
    patches: bool = option(True, "also learn where the forgery is")
    ssat_lambda: float = option(0.1, "SSAT's weight of judging against reconstruction", ge=0, le=1)
    mask_ratio: float = option(0.75, "share of patches that are hidden", ge=0.1, le=0.95)
    pairs: int = option(32, "reals and fakes each in a batch", ge=1, le=2048)
    learning_rate: float = option(1e-3, "of AdamW, for 64 pictures a batch", ge=1e-7, le=0.1)
    tail_at: int = option(6000, "iterations until crops are degraded at full strength", ge=0, le=10**9)
    leave_out: str | None = option(None, "a manipulation that training never sees")
    iterations: int | None = option(None, "length of the training", ge=1)
    minutes: float | None = option(None, "length, over all runs together", unit="minutes", ge=0.01)
    validate_minutes: float = option(5.0, "time between validations", unit="minutes", ge=0.01)
    seed: int = option(0, "of weights and order", ge=0, le=2**31 - 1)

    def writes(self) -> Iterable[Path]:
        return [self.output] if self.output else []


class CrossvalSettings(TrainSettings):
    arms: str = option(
        "scratch,scratch+patch,ssl+ft+patch,ssat,ssat+patch,cnn+patch", "rows of the table, by commas"
    )
    seeds: int = option(1, "trainings of each cell", ge=1, le=20)


class HardenSettings(JudgeSettings):
    detector: Path | None = option(None, "folder of the detector to start from; it stays as it is")
    output: Path | None = option(None, "folder of the training; the new detector is its `hardened`")
    iterations: int | None = option(None, "length of the training", ge=1)
    minutes: float | None = option(None, "length, over all runs together", unit="minutes", ge=0.01)
    seed: int = option(0, "of order", ge=0, le=2**31 - 1)

    def writes(self) -> Iterable[Path]:
        return [self.output] if self.output else []


class FinetuneSettings(StageSettings):
    recipe: Literal["virtus", "tutorial"] = option(
        "virtus", "how to train; what is not set below is the recipe's"
    )
    data: Path | None = option(
        None, "folder with Real/ and Fake/ inside, and groups.csv where people are known"
    )
    output: Path | None = option(None, "folder of the model; the same command continues a stopped training")
    base: Path | None = option(None, "folder of the model to start from; else the bundled detector")
    epochs: int | None = option(None, "how often every picture is seen", ge=1, le=10_000)
    learning_rate: float | None = option(None, "of AdamW", ge=1e-9, le=0.1)
    batch: int | None = option(None, "pictures in a batch", ge=1, le=4096)
    test_size: float | None = option(
        None, "share kept from training, half to pick the best weights and half to test", ge=0.02, le=0.9
    )
    balance: bool | None = option(None, "show both classes equally often in training")
    frames: int = option(16, "evenly spaced ones that are taken of a clip", ge=1, le=1000)
    whole_image: bool = option(False, "take pictures as they are, because they are cut faces already")
    time_budget: float | None = option(
        None, "training time of this run, then judge what there is; 0 only judges", unit="minutes", ge=0
    )
    push_to_hub: str | None = option(None, "name of a private repository to upload the model to, YOU/MODEL")
    face_models: str = option("bundled", "pack that finds the faces, as in stages.align_src")
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the network")
    seed: int = option(83, "of split, order and augmentation", ge=0, le=2**31 - 1)

    def writes(self) -> Iterable[Path]:
        return [self.output] if self.output else []


def train(cfg: TrainSettings) -> None:
    """Train a detector on a set; Ctrl-C saves, the same command continues."""
    from faceswap.detector.training.fit import Material, fit

    folder, device = need(cfg.output, "--output FOLDER"), choose_device(cfg.device)
    cfg.save(folder / "train.json")
    done = fit(Material.open(cfg.set_), folder, _how(cfg), device, choose_dtype(cfg.precision, device))
    say(f"next: {command('stages.detector', 'evaluate', '--set', cfg.set_, '--detector', done.best)}")


def crossval(cfg: CrossvalSettings) -> None:
    """Leave one manipulation out, for every arm and seed; the table is FOLDER/table.md."""
    from faceswap.detector.training.crossval import ArmSpec, crossvalidate, table
    from faceswap.detector.training.fit import Material

    folder, device = need(cfg.output, "--output FOLDER"), choose_device(cfg.device)
    try:
        arms = [ArmSpec.parse(name, cfg.family) for name in cfg.arms.split(",")]
    except ValueError as error:
        raise UserError(str(error)) from None
    dtype, seeds = choose_dtype(cfg.precision, device), range(cfg.seed, cfg.seed + cfg.seeds)
    cells = crossvalidate(Material.open(cfg.set_), folder, arms, seeds, _how(cfg), device, dtype)
    say(table(cells))


def harden(cfg: HardenSettings) -> None:
    """Teach a detector the swaps of a finished workspace; it is kept only if it forgets nothing older."""
    from faceswap.detector.data.pairs import open_finished
    from faceswap.detector.network.files import choose_detector
    from faceswap.detector.training.fit import Material
    from faceswap.detector.training.harden import harden, tell
    from faceswap.detector.training.training import Schedule

    base, folder = choose_detector(cfg.detector), need(cfg.output, "--output FOLDER")
    device, finished = choose_device(cfg.device), open_finished(cfg.place)
    schedule = Schedule(cfg.iterations, cfg.minutes)
    dtype, material = choose_dtype(cfg.precision, device), Material.open(cfg.set_)
    cfg.save(folder / "harden.json")
    outcome = harden(material, finished, base, folder, schedule, device, dtype, cfg.exam_pairs, cfg.seed)
    write_json(folder / "outcome.json", outcome.to_json())
    tell(outcome)


def finetune(cfg: FinetuneSettings) -> None:
    """Fine-tune a model on a folder of your own Real/ and Fake/; Ctrl-C saves, the same command continues."""
    from dataclasses import replace

    from faceswap.detector.finetune.hub import Hub
    from faceswap.detector.finetune.outcome import FineTune, finetune
    from faceswap.detector.finetune.recipe import RECIPES

    data, output = need(cfg.data, "--data DIR"), need(cfg.output, "--output FOLDER")
    hub = None if cfg.push_to_hub is None else Hub(cfg.push_to_hub)
    recipe, device = RECIPES[cfg.recipe], choose_device(cfg.device)
    if recipe.subset is not None and cfg.test_size is not None:
        raise UserError(
            f"--test-size is not for --recipe {cfg.recipe}", "it draws a fixed number", "leave it out"
        )
    asked: dict[str, Any] = {
        "epochs": cfg.epochs, "learning_rate": cfg.learning_rate, "batch": cfg.batch,
        "held_out": cfg.test_size, "balance": cfg.balance,
    }  # fmt: skip
    recipe = replace(recipe, **{name: value for name, value in asked.items() if value is not None})
    how = FineTune(recipe, cfg.base, cfg.frames, cfg.whole_image, cfg.time_budget, cfg.face_models, cfg.seed)
    cfg.save(output / "finetune.json")
    finetune(data, output, how, device, choose_dtype(cfg.precision, device))
    if hub is not None:
        say(f"pushed: {hub.push(output)}")
    say(f"the model is {output}; read its README.md before anybody relies on it")


def _how(cfg: TrainSettings) -> "Fit":
    from faceswap.detector.network.model import DetectorSpec
    from faceswap.detector.training.fit import Fit
    from faceswap.detector.training.steps import Recipe
    from faceswap.detector.training.training import Schedule

    recipe = Recipe(
        arm=cfg.arm, patches=cfg.patches, lambda_=cfg.ssat_lambda, mask_ratio=cfg.mask_ratio,
        pairs=cfg.pairs, learning_rate=cfg.learning_rate, tail_at=cfg.tail_at,
    )  # fmt: skip
    schedule = Schedule(cfg.iterations, cfg.minutes, validate_minutes=cfg.validate_minutes)
    spec = DetectorSpec(family=cfg.family, input_px=cfg.input_px)
    return Fit(spec, recipe, schedule, cfg.exam_pairs, cfg.leave_out, cfg.seed)
