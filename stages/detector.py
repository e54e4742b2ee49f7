"""9.1 detector: train and question the judge of forgeries

    python -m stages.detector gather --data DIR --set SET      real crops, with people and splits
    python -m stages.detector add --set SET --workspace DIR --identity WHO --donor WHO     finished swaps
    python -m stages.detector redraw --set SET --workspace DIR --model NAME     swaps of everybody in the set
    python -m stages.detector probe --set SET                    shortcuts that a set would teach
    python -m stages.detector exam --data DIR --detector FOLDER/best     other programs' swaps
    python -m stages.detector train --set SET --output FOLDER --minutes 60
    python -m stages.detector evaluate --set SET --detector FOLDER/best
    python -m stages.detector predict FILE_OR_FOLDER --detector FOLDER/best [--json]
    python -m stages.detector serve --detector FOLDER/best         a page and a service that judge uploads
    python -m stages.detector crossval --set SET --output FOLDER --iterations 500
    python -m stages.detector export --detector FOLDER/best --output OTHER [--onnx]
    python -m stages.detector harden --set SET --workspace DIR --detector FOLDER/best --output OTHER
    python -m stages.detector finetune --recipe virtus --data DIR --output FOLDER     your Real/, Fake/

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
    from faceswap.detector.predict import Examiner

T = TypeVar("T")
# Side of the crops that probes look at, that of the bundled detector's.
PROBED_PX = 128


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


class RedrawSettings(SetSettings):
    manipulation: str = option("ae-late", "what to call these swaps")
    model: str | None = option(None, "name of the model in the workspace; the only one if there is one")
    device: DeviceName = option("auto", "where the model runs")
    precision: Precision = option("auto", "arithmetic of the model")


class JudgeSettings(SetSettings):
    exam_pairs: int = option(200, "pairs of each manipulation in an exam", ge=10, le=20000)
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the networks")


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


class ProbeSettings(SetSettings):
    split: Literal["train", "val", "test"] = option("train", "whose people")
    exam_pairs: int = option(300, "pairs of each manipulation", ge=50, le=20000)


class ExamineSettings(StageSettings):
    detector: Path | None = option(None, "folder of the detector; else the bundled one")
    face_models: str = option("bundled", "pack that finds the faces, as in stages.align_src")
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the network")


class PredictSettings(ExamineSettings):
    path: CliPositionalArg[Path] = Field(description="picture, clip, or folder of them")
    as_json: bool = Field(False, alias="json", description="one JSON object a file, with every face")


class ServeSettings(ExamineSettings):
    host: str = option("127.0.0.1", "address to listen at; 0.0.0.0 lets every network in")
    port: int = option(8000, "port, 0 = any free one", ge=0, le=65535)
    upload_mib: float = option(64, "largest file", unit="MiB", ge=0.1, le=4096)
    upload_seconds: float = option(60, "time in which a file must arrive", unit="s", ge=1, le=3600)
    megapixels: float = option(64, "largest picture or frame", unit="million px", ge=0.1, le=1000)
    clip_seconds: float = option(120, "longest clip", unit="s", ge=1, le=36000)
    frames: int = option(64, "frames of a longer clip that are judged, evenly spaced", ge=8, le=5000)
    faces: int = option(16, "faces of a frame that are judged, the largest first", ge=1, le=200)
    decode_seconds: float = option(30, "decoding that takes longer is stopped", unit="s", ge=1, le=3600)
    decode_mib: int = option(4096, "memory of a decoder (not on Windows)", unit="MiB", ge=512, le=2**20)
    per_minute: int = option(20, "files of one address in a minute", ge=1, le=6000)
    waiting: int = option(4, "files in hand; one is judged at a time", ge=1, le=1000)


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


class ExportSettings(StageSettings):
    detector: Path | None = option(None, "folder of the detector; else the bundled one")
    output: Path | None = option(None, "folder to hand on")
    half: bool = option(True, "weights in half precision, half the size")
    onnx: bool = option(False, "write model.onnx as well")


class ExamSettings(StageSettings):
    detector: Path | None = option(None, "folder of the detector; else the bundled one")
    data: Path | None = option(None, "folder that holds fakes/DeepFaceLive and clips")
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the network")


class EvaluateSettings(JudgeSettings):
    detector: Path | None = option(None, "folder of the detector; else the bundled one")
    split: Literal["val", "test"] = option("test", "whose people")
    recalibrate: bool = option(False, "first fit temperature and thresholds anew, on the people of val")


def gather(cfg: GatherSettings) -> None:
    """Write the real crops of the data folder's collections to a set."""
    from faceswap.detector.gather import gather

    gather(_need(cfg.data, "--data DIR"), cfg.set_)
    say(f"next: {command('stages.detector', 'train', '--set', cfg.set_, '--output', 'FOLDER')}")


def add(cfg: AddSettings) -> None:
    """Add the swaps of a finished workspace, with the untouched frames, to a set."""
    from faceswap.detector.manifest import read_manifest, write_manifest
    from faceswap.detector.pairs import Origin, add_pairs, open_finished

    there, finished = {item.file: item for item in read_manifest(cfg.set_)}, open_finished(cfg.place)
    who, donor = _need(cfg.identity, "--identity WHO"), _need(cfg.donor, "--donor WHO")
    video, dataset = who.replace("/", "_"), who.partition("/")[0]
    new = add_pairs(cfg.set_, finished, Origin(cfg.manipulation, who, donor, video, dataset), cfg.every)
    write_manifest(cfg.set_, (there | {item.file: item for item in new}).values())
    splits = ", ".join(sorted({item.split for item in new}))
    say(f"{len(new) // 2} swaps added as {cfg.manipulation} to {splits}")


def redraw(cfg: RedrawSettings) -> None:
    """Add to a set what a model of the workspace makes of each of its real crops."""
    from faceswap.detector.manifest import read_manifest, write_manifest
    from faceswap.detector.redraw import redraw
    from faceswap.merge.predict import load_predictor

    device, there = choose_device(cfg.device), read_manifest(cfg.set_)
    run = cfg.place.model(cfg.model)
    predictor = load_predictor(run, device, choose_dtype(cfg.precision, device))
    new = list(redraw(cfg.set_, there, predictor, cfg.manipulation, run.name))
    write_manifest(
        cfg.set_, ({item.file: item for item in there} | {item.file: item for item in new}).values()
    )
    say(f"{len(new)} faces redrawn as {cfg.manipulation}")


def train(cfg: TrainSettings) -> None:
    """Train a detector on a set; Ctrl-C saves, the same command continues."""
    from faceswap.detector.fit import Material, fit

    folder, device = _need(cfg.output, "--output FOLDER"), choose_device(cfg.device)
    cfg.save(folder / "train.json")
    done = fit(Material.open(cfg.set_), folder, _how(cfg), device, choose_dtype(cfg.precision, device))
    say(f"next: {command('stages.detector', 'evaluate', '--set', cfg.set_, '--detector', done.best)}")


def evaluate(cfg: EvaluateSettings) -> None:
    """Examine a detector on people it was not trained on; the figures go into its card and are printed."""
    from faceswap.detector.files import choose_detector
    from faceswap.detector.fit import Material, evaluate, recalibrate

    folder, device = choose_detector(cfg.detector), choose_device(cfg.device)
    dtype = choose_dtype(cfg.precision, device)
    material = Material.open(cfg.set_)
    if cfg.recalibrate:
        frozen = recalibrate(material, folder, cfg.exam_pairs, device, dtype)
        told = ", ".join(f"{fpr}: {value:.3f}" for fpr, value in frozen.thresholds.items())
        say(f"from the people of val: temperature {frozen.temperature:.3f}, thresholds {told}")
    found = evaluate(material, folder, cfg.split, cfg.exam_pairs, device, dtype)
    write_json(folder / f"{cfg.split}.json", found)
    for kind, table in found.items():
        span, where = table["auc_interval"], table["localisation"]
        say(
            f"{kind:<10} AUC {table['auc']:.3f} [{span['low']:.3f}, {span['high']:.3f}]  "
            f"ECE {table['calibration_error']:.3f}  pointing {where['pointing']:.2f}  IoU {where['iou']:.2f}"
        )


def export(cfg: ExportSettings) -> None:
    """Write a detector with its model card to a folder that others can open."""
    from faceswap.detector.export import export
    from faceswap.detector.files import choose_detector

    output = _need(cfg.output, "--output FOLDER")
    export(choose_detector(cfg.detector), output, cfg.half, cfg.onnx)
    size = sum(path.stat().st_size for path in output.iterdir()) / 1e6
    say(f"{output}: {size:.1f} MB; its README.md says what it is worth")


def exam(cfg: ExamSettings) -> None:
    """Judge swaps by other programs that were never trained on; for figures, never for choosing."""
    from faceswap.detector.exam import examine
    from faceswap.detector.files import choose_detector, load_detector
    from faceswap.detector.judge import Judge
    from faceswap.faces.analysis import Analyst
    from faceswap.faces.packs import load_pack

    folder, device = choose_detector(cfg.detector), choose_device(cfg.device)
    detector, card = load_detector(folder)
    judge = Judge(detector, card.temperature, device, choose_dtype(cfg.precision, device))
    analyst = Analyst(load_pack("bundled", cfg.device, threads=2), max_faces=1)
    found = examine(_need(cfg.data, "--data DIR"), analyst, judge, card.thresholds)
    write_json(folder / "exam.json", found)
    say(json.dumps(found, indent=1))


def probe(cfg: ProbeSettings) -> None:
    """Look for shortcuts: can something that is no forgery tell a set's reals from its fakes?"""
    from faceswap.detector.fit import EXAM_SEED, Material
    from faceswap.detector.leaks import leaking, probe_pairs

    material = Material.open(cfg.set_)
    source = material.source(cfg.split, material.manipulations, PROBED_PX)
    found = probe_pairs(source, cfg.exam_pairs, EXAM_SEED)
    write_json(cfg.set_ / "probes.json", found)
    for kind, probes in found.items():
        say(f"{kind:<10} " + "  ".join(f"{name} {auc:.3f}" for name, auc in probes.items()))
    say("; ".join(leaking(found)) or "no probe tells reals from fakes")


def predict(cfg: PredictSettings) -> None:
    """Say of pictures and clips whether a face in them is forged."""
    from faceswap.detector.predict import files_of

    files, examiner = files_of(cfg.path), _examiner(cfg)
    for path in files:
        found = examiner.file(path)
        if cfg.as_json:
            say(json.dumps(found.to_json(), ensure_ascii=False))
        else:
            score = "" if found.score is None else f"{found.score:.3f}"
            say(f"{found.label:<12} {score:>5}  {found.file}  {found.reason}".rstrip())
    say("" if cfg.as_json else "a score is one small network's guess, and no evidence against anyone")


def serve(cfg: ServeSettings) -> None:
    """Judge the pictures and clips that are sent from a browser or a program; Ctrl-C ends it."""
    from faceswap.detector.answer import Known
    from faceswap.detector.files import WEIGHTS, choose_detector
    from faceswap.detector.service import LOOPBACK, Limits, app, is_loopback, run
    from faceswap.io import guarded
    from faceswap.io.files import sha256

    examiner, folder = _examiner(cfg, cfg.faces), choose_detector(cfg.detector)
    decode = guarded.Limits(cfg.megapixels, cfg.clip_seconds, cfg.frames, cfg.decode_seconds, cfg.decode_mib)
    limits = Limits(decode, cfg.upload_mib, cfg.upload_seconds, cfg.per_minute, cfg.waiting)
    known = Known(name=folder.resolve().name, sha256=sha256(folder / WEIGHTS))
    hosts = LOOPBACK if is_loopback(cfg.host) else ["*"]
    run(app(examiner, limits, known, hosts), cfg.host, cfg.port)


def crossval(cfg: CrossvalSettings) -> None:
    """Leave one manipulation out, for every arm and seed; the table is FOLDER/table.md."""
    from faceswap.detector.crossval import ArmSpec, crossvalidate, table
    from faceswap.detector.fit import Material

    folder, device = _need(cfg.output, "--output FOLDER"), choose_device(cfg.device)
    try:
        arms = [ArmSpec.parse(name, cfg.family) for name in cfg.arms.split(",")]
    except ValueError as error:
        raise UserError(str(error)) from None
    dtype, seeds = choose_dtype(cfg.precision, device), range(cfg.seed, cfg.seed + cfg.seeds)
    cells = crossvalidate(Material.open(cfg.set_), folder, arms, seeds, _how(cfg), device, dtype)
    say(table(cells))


def harden(cfg: HardenSettings) -> None:
    """Teach a detector the swaps of a finished workspace; it is kept only if it forgets nothing older."""
    from faceswap.detector.files import choose_detector
    from faceswap.detector.fit import Material
    from faceswap.detector.harden import harden, tell
    from faceswap.detector.pairs import open_finished
    from faceswap.detector.training import Schedule

    base, folder = choose_detector(cfg.detector), _need(cfg.output, "--output FOLDER")
    device, finished = choose_device(cfg.device), open_finished(cfg.place)
    schedule = Schedule(cfg.iterations, cfg.minutes)
    dtype, material = choose_dtype(cfg.precision, device), Material.open(cfg.set_)
    cfg.save(folder / "harden.json")
    outcome = harden(material, finished, base, folder, schedule, device, dtype, cfg.exam_pairs, cfg.seed)
    write_json(folder / "outcome.json", outcome.to_json())
    tell(outcome)


def _examiner(cfg: ExamineSettings, most_faces: int = 0) -> "Examiner":
    """What judges files as the settings say, at most so many faces of a frame (0 = all)."""
    from faceswap.detector.files import HEADLINE_FPR, choose_detector, load_detector
    from faceswap.detector.judge import Judge
    from faceswap.detector.predict import Examiner
    from faceswap.faces.analysis import Analyst
    from faceswap.faces.packs import load_pack

    device = choose_device(cfg.device)
    detector, card = load_detector(choose_detector(cfg.detector))
    judge = Judge(detector, card.temperature, device, choose_dtype(cfg.precision, device))
    analyst = Analyst(load_pack(cfg.face_models, cfg.device, threads=2), max_faces=most_faces)
    return Examiner(analyst, judge, card.thresholds.get(HEADLINE_FPR, 0.5))


def finetune(cfg: FinetuneSettings) -> None:
    """Fine-tune a model on a folder of your own Real/ and Fake/; Ctrl-C saves, the same command continues."""
    from dataclasses import replace

    from faceswap.detector.folder_recipe import RECIPES
    from faceswap.detector.hub import Hub
    from faceswap.detector.outcome import FineTune, finetune

    data, output = _need(cfg.data, "--data DIR"), _need(cfg.output, "--output FOLDER")
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
    from faceswap.detector.fit import Fit
    from faceswap.detector.model import DetectorSpec
    from faceswap.detector.recipe import Recipe
    from faceswap.detector.training import Schedule

    recipe = Recipe(
        arm=cfg.arm, patches=cfg.patches, lambda_=cfg.ssat_lambda, mask_ratio=cfg.mask_ratio,
        pairs=cfg.pairs, learning_rate=cfg.learning_rate, tail_at=cfg.tail_at,
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
    "redraw": (RedrawSettings, redraw),
    "probe": (ProbeSettings, probe),
    "exam": (ExamSettings, exam),
    "train": (TrainSettings, train),
    "evaluate": (EvaluateSettings, evaluate),
    "predict": (PredictSettings, predict),
    "serve": (ServeSettings, serve),
    "crossval": (CrossvalSettings, crossval),
    "harden": (HardenSettings, harden),
    "export": (ExportSettings, export),
    "finetune": (FinetuneSettings, finetune),
}

if __name__ == "__main__":
    run_actions(ACTIONS, __doc__)
