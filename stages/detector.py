"""9.1 detector: train and question the judge of forgeries

    python -m stages.detector gather --data DIR --set SET      real crops, with people and splits
    python -m stages.detector add --set SET --workspace DIR --identity WHO --donor WHO     finished swaps
    python -m stages.detector train --set SET --output FOLDER --minutes 60
    python -m stages.detector evaluate --set SET --detector FOLDER/best
    python -m stages.detector predict FILE_OR_FOLDER --detector FOLDER/best [--json]
    python -m stages.detector crossval --set SET --output FOLDER --iterations 500
    python -m stages.detector harden --set SET --workspace DIR --detector FOLDER/best --output OTHER

The judge only ever looks at finished work: nothing that makes swaps reads its answers.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field
from pydantic_settings import CliPositionalArg

from faceswap.config import StageSettings, option, run_actions
from faceswap.console import command, say
from faceswap.errors import UserError
from faceswap.io.files import write_json
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype

if TYPE_CHECKING:
    from faceswap.detector.fit import Fit

T = TypeVar("T")


class SetSettings(StageSettings):
    set_: Path = Field(
        Path("workspace/detector_set"), alias="set", description="folder of crops and manifest.csv"
    )


class GatherSettings(SetSettings):
    data: Path | None = option(None, "folder of collections: actors, landmarked, segmented, lfw_gray, clips")


class AddSettings(SetSettings):
    manipulation: str = option("ae-late", "what to call these swaps")
    identity: str | None = option(None, "the person in the frames, COLLECTION/NAME")
    donor: str | None = option(None, "the person whose face was put in, COLLECTION/NAME")
    every: int = option(1, "take every so many-th frame", ge=1, le=1000)
    people_of: str | None = option(
        None, "instead of both people: the frames are named PERSON_…, of people of this collection"
    )


class JudgeSettings(SetSettings):
    exam_pairs: int = option(200, "pairs of each manipulation in an exam", ge=10, le=20000)
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the networks")


class TrainSettings(JudgeSettings):
    output: Path | None = option(None, "folder of the training; the detector is its `best`")
    family: Literal["vit", "cvt", "cnn"] = option("vit", "network; cnn is the control")
    input_px: int = option(112, "side of a crop, a multiple of 16", unit="px", ge=32, le=384)
    arm: Literal["scratch", "ssl+ft", "ssat"] = option("ssat", "reconstruction: none, before, or beside")
    patches: bool = option(True, "also learn where the forgery is")
    ssat_lambda: float = option(0.1, "SSAT's weight of judging against reconstruction", ge=0, le=1)
    mask_ratio: float = option(0.75, "share of patches that are hidden", ge=0.1, le=0.95)
    pairs: int = option(32, "reals and fakes each in a batch", ge=1, le=2048)
    learning_rate: float = option(1e-3, "of AdamW, for 64 pictures a batch", ge=1e-7, le=0.1)
    leave_out: str | None = option(None, "a manipulation that training never sees")
    iterations: int | None = option(None, "length of the training", ge=1)
    minutes: float | None = option(None, "length, over all runs together", unit="minutes", ge=0.01)
    validate_minutes: float = option(5.0, "time between validations", unit="minutes", ge=0.01)
    seed: int = option(0, "of weights and order", ge=0, le=2**31 - 1)


class PredictSettings(StageSettings):
    path: CliPositionalArg[Path] = Field(description="picture, clip, or folder of them")
    detector: Path | None = option(None, "folder of the detector")
    as_json: bool = Field(False, alias="json", description="one JSON object a file, with every face")
    face_models: str = option("bundled", "pack that finds the faces, as in stages.align_src")
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the network")


class CrossvalSettings(TrainSettings):
    arms: str = option("scratch,scratch+patch,ssat,ssat+patch,cnn+patch", "rows of the table, by commas")
    seeds: int = option(1, "trainings of each cell", ge=1, le=20)


class HardenSettings(JudgeSettings):
    detector: Path | None = option(None, "folder of the detector to start from; it stays as it is")
    output: Path | None = option(None, "folder of the training; the new detector is its `hardened`")
    iterations: int | None = option(None, "length of the training", ge=1)
    minutes: float | None = option(None, "length, over all runs together", unit="minutes", ge=0.01)
    seed: int = option(0, "of order", ge=0, le=2**31 - 1)


class EvaluateSettings(JudgeSettings):
    detector: Path | None = option(None, "folder of the detector")
    split: Literal["val", "test"] = option("test", "whose people")


def gather(cfg: GatherSettings) -> None:
    """Write the real crops of the data folder's collections to a set."""
    from faceswap.detector.gather import gather

    gather(_need(cfg.data, "--data DIR"), cfg.set_)
    say(f"next: {command('stages.detector', 'train', '--set', cfg.set_, '--output', 'FOLDER')}")


def add(cfg: AddSettings) -> None:
    """Add the swaps of a finished workspace, with the untouched frames, to a set."""
    from faceswap.detector.manifest import read_manifest, write_manifest
    from faceswap.detector.pairs import Origin, add_pairs, add_people, open_finished

    there, finished = {item.file: item for item in read_manifest(cfg.set_)}, open_finished(cfg.place)
    if cfg.people_of:
        new = add_people(cfg.set_, finished, cfg.people_of, cfg.manipulation)
    else:
        who, donor = _need(cfg.identity, "--identity WHO"), _need(cfg.donor, "--donor WHO")
        video, dataset = who.replace("/", "_"), who.partition("/")[0]
        new = add_pairs(cfg.set_, finished, Origin(cfg.manipulation, who, donor, video, dataset), cfg.every)
    write_manifest(cfg.set_, (there | {item.file: item for item in new}).values())
    splits = ", ".join(sorted({item.split for item in new}))
    say(f"{len(new) // 2} swaps added as {cfg.manipulation} to {splits}")


def train(cfg: TrainSettings) -> None:
    """Train a detector on a set; Ctrl-C saves, the same command continues."""
    from faceswap.detector.fit import Material, fit

    folder, device = _need(cfg.output, "--output FOLDER"), choose_device(cfg.device)
    cfg.save(folder / "train.json")
    done = fit(Material.open(cfg.set_), folder, _how(cfg), device, choose_dtype(cfg.precision, device))
    say(f"next: {command('stages.detector', 'evaluate', '--set', cfg.set_, '--detector', done.best)}")


def evaluate(cfg: EvaluateSettings) -> None:
    """Examine a detector on people it was not trained on; the figures go into its card and are printed."""
    from faceswap.detector.fit import Material, evaluate

    folder, device = _need(cfg.detector, "--detector FOLDER"), choose_device(cfg.device)
    dtype = choose_dtype(cfg.precision, device)
    found = evaluate(Material.open(cfg.set_), folder, cfg.split, cfg.exam_pairs, device, dtype)
    write_json(folder / f"{cfg.split}.json", found)
    for kind, table in found.items():
        span, where = table["auc_interval"], table["localisation"]
        say(
            f"{kind:<10} AUC {table['auc']:.3f} [{span['low']:.3f}, {span['high']:.3f}]  "
            f"ECE {table['calibration_error']:.3f}  pointing {where['pointing']:.2f}  IoU {where['iou']:.2f}"
        )


def predict(cfg: PredictSettings) -> None:
    """Say of pictures and clips whether a face in them is forged."""
    from faceswap.detector.files import load_detector
    from faceswap.detector.judge import Judge
    from faceswap.detector.predict import Examiner, files_of
    from faceswap.faces.analysis import Analyst
    from faceswap.faces.packs import load_pack

    files, device = files_of(cfg.path), choose_device(cfg.device)
    detector, card = load_detector(_need(cfg.detector, "--detector FOLDER"))
    judge = Judge(detector, card.temperature, device, choose_dtype(cfg.precision, device))
    analyst = Analyst(load_pack(cfg.face_models, cfg.device, threads=2))
    examiner = Examiner(analyst, judge, card.thresholds.get("0.05", 0.5))
    for path in files:
        found = examiner.file(path)
        if cfg.as_json:
            say(json.dumps(found.to_json(), ensure_ascii=False))
        else:
            score = "" if found.score is None else f"{found.score:.3f}"
            say(f"{found.label:<12} {score:>5}  {found.file}  {found.reason}".rstrip())
    say("" if cfg.as_json else "a score is one small network's guess, and no evidence against anyone")


def crossval(cfg: CrossvalSettings) -> None:
    """Leave one manipulation out, for every arm and seed; the table is FOLDER/table.md."""
    from faceswap.detector.crossval import ArmSpec, crossvalidate, table
    from faceswap.detector.fit import Material

    folder, device = _need(cfg.output, "--output FOLDER"), choose_device(cfg.device)
    try:
        arms = [ArmSpec.parse(name) for name in cfg.arms.split(",")]
    except ValueError as error:
        raise UserError(str(error)) from None
    dtype, seeds = choose_dtype(cfg.precision, device), range(cfg.seed, cfg.seed + cfg.seeds)
    cells = crossvalidate(Material.open(cfg.set_), folder, arms, seeds, _how(cfg), device, dtype)
    say(table(cells))


def harden(cfg: HardenSettings) -> None:
    """Teach a detector the swaps of a finished workspace; it is kept only if it forgets nothing older."""
    from faceswap.detector.fit import Material
    from faceswap.detector.harden import harden, tell
    from faceswap.detector.pairs import open_finished
    from faceswap.detector.training import Schedule

    base, folder = _need(cfg.detector, "--detector FOLDER"), _need(cfg.output, "--output FOLDER")
    device, finished = choose_device(cfg.device), open_finished(cfg.place)
    schedule = Schedule(cfg.iterations, cfg.minutes)
    dtype, material = choose_dtype(cfg.precision, device), Material.open(cfg.set_)
    cfg.save(folder / "harden.json")
    outcome = harden(material, finished, base, folder, schedule, device, dtype, cfg.exam_pairs, cfg.seed)
    write_json(folder / "outcome.json", outcome.to_json())
    tell(outcome)


def _how(cfg: TrainSettings) -> "Fit":
    from faceswap.detector.fit import Fit
    from faceswap.detector.model import DetectorSpec
    from faceswap.detector.recipe import Recipe
    from faceswap.detector.training import Schedule

    recipe = Recipe(
        arm=cfg.arm, patches=cfg.patches, lambda_=cfg.ssat_lambda, mask_ratio=cfg.mask_ratio,
        pairs=cfg.pairs, learning_rate=cfg.learning_rate,
    )  # fmt: skip
    schedule = Schedule(cfg.iterations, cfg.minutes, validate_minutes=cfg.validate_minutes)
    spec = DetectorSpec(family=cfg.family, input_px=cfg.input_px)
    return Fit(spec, recipe, schedule, cfg.exam_pairs, cfg.leave_out, cfg.seed)


def _need(value: T | None, flag: str) -> T:
    if value is None:
        raise UserError(f"{flag} is needed here", "", "add it")
    return value


ACTIONS: dict[str, tuple[type[StageSettings], Callable[[Any], None]]] = {
    "gather": (GatherSettings, gather),
    "add": (AddSettings, add),
    "train": (TrainSettings, train),
    "evaluate": (EvaluateSettings, evaluate),
    "predict": (PredictSettings, predict),
    "crossval": (CrossvalSettings, crossval),
    "harden": (HardenSettings, harden),
}

if __name__ == "__main__":
    run_actions(ACTIONS, __doc__)
