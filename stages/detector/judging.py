"""The sub-commands of stages.detector that use a detector: evaluate, exam, predict, serve, export.

What they need is imported when they run, so that --help is there at once.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg

from faceswap.config import StageSettings, option
from faceswap.console import is_heard, say
from faceswap.io.files import write_json
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype
from stages.detector.settings import JudgeSettings, need

if TYPE_CHECKING:
    from faceswap.align.analysis import FaceAnalyzer
    from faceswap.detector.network.files import Card
    from faceswap.detector.network.judge import Judge
    from faceswap.detector.predict import Examiner


class EvaluateSettings(JudgeSettings):
    detector: Path | None = option(None, "folder of the detector; else the bundled one")
    split: Literal["val", "test"] = option("test", "whose people")
    recalibrate: bool = option(False, "first fit temperature and thresholds anew, on the people of val")

    def writes(self) -> Iterable[Path]:
        # The figures go into its card.
        return [self.detector] if self.detector else []


class ExamSettings(StageSettings):
    detector: Path | None = option(None, "folder of the detector; else the bundled one")
    data: Path | None = option(None, "folder that holds fakes/DeepFaceLive and clips")
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the network")


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


class ExportSettings(StageSettings):
    detector: Path | None = option(None, "folder of the detector; else the bundled one")
    output: Path | None = option(None, "folder to hand on")
    half: bool = option(True, "weights in half precision, half the size")
    onnx: bool = option(False, "write model.onnx as well")

    def writes(self) -> Iterable[Path]:
        return [self.output] if self.output else []


def evaluate(cfg: EvaluateSettings) -> None:
    """Examine a detector on people it was not trained on; the figures go into its card and are printed."""
    from faceswap.detector.network.files import choose_detector
    from faceswap.detector.training.fit import Material, evaluate, recalibrate

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


def exam(cfg: ExamSettings) -> None:
    """Judge swaps by other programs that were never trained on; for figures, never for choosing."""
    from faceswap.detector.measures.exam import examine
    from faceswap.detector.network.files import choose_detector

    analyst, judge, card = _opened(cfg, "bundled", most_faces=1)
    found = examine(need(cfg.data, "--data DIR"), analyst, judge, card.thresholds)
    write_json(choose_detector(cfg.detector) / "exam.json", found)
    say(json.dumps(found, indent=1))


def predict(cfg: PredictSettings) -> None:
    """Say of pictures and clips whether a face in them is forged."""
    from faceswap.detector.predict import files_of

    files, examiner = files_of(cfg.path), _examiner(cfg)
    for path in files:
        found = examiner.file(path)
        if cfg.as_json:
            say(json.dumps(found.to_json() | {"threshold": examiner.threshold}, ensure_ascii=False))
        else:
            limit = f"{examiner.threshold:.3f}"
            score = "" if found.score is None else f"{found.score:.3f} (fake above {limit})"
            say(f"{found.label:<12} {score:<{len(limit) + 19}}  {found.file}  {found.reason}".rstrip())
        if not is_heard():
            return
    if not cfg.as_json:
        say("a score is one small network's guess, and no evidence against anyone")


def serve(cfg: ServeSettings) -> None:
    """Judge the pictures and clips that are sent from a browser or a program; Ctrl-C ends it."""
    from faceswap.detector.network.files import WEIGHTS, choose_detector, name_of
    from faceswap.detector.serve.answer import Known
    from faceswap.detector.serve.service import LOOPBACK, Limits, app, is_loopback, run
    from faceswap.io.files import sha256
    from faceswap.media import guarded

    examiner, folder = _examiner(cfg, cfg.faces), choose_detector(cfg.detector)
    decode = guarded.Limits(cfg.megapixels, cfg.clip_seconds, cfg.frames, cfg.decode_seconds, cfg.decode_mib)
    limits = Limits(decode, cfg.upload_mib, cfg.upload_seconds, cfg.per_minute, cfg.waiting)
    known = Known(name=name_of(folder), sha256=sha256(folder / WEIGHTS))
    hosts = LOOPBACK if is_loopback(cfg.host) else ["*"]
    run(app(examiner, limits, known, hosts), cfg.host, cfg.port)


def export(cfg: ExportSettings) -> None:
    """Write a detector with its model card to a folder that others can open."""
    from faceswap.detector.network.export import export
    from faceswap.detector.network.files import choose_detector

    output = need(cfg.output, "--output FOLDER")
    export(choose_detector(cfg.detector), output, cfg.half, cfg.onnx)
    size = sum(path.stat().st_size for path in output.iterdir()) / 1e6
    say(f"{output}: {size:.1f} MB; its README.md says what it is worth")


def _examiner(cfg: ExamineSettings, most_faces: int = 0) -> "Examiner":
    """What judges files as the settings say, at most so many faces of a frame (0 = all)."""
    from faceswap.detector.predict import Examiner

    analyst, judge, card = _opened(cfg, cfg.face_models, most_faces)
    return Examiner(analyst, judge, card.threshold)


def _opened(
    cfg: ExamSettings | ExamineSettings, pack: str, most_faces: int
) -> tuple["FaceAnalyzer", "Judge", "Card"]:
    """What finds faces, what judges them, and what is known of the judge."""
    from faceswap.align.analysis import FaceAnalyzer
    from faceswap.align.packs import load_pack
    from faceswap.detector.network.files import choose_detector, load_detector
    from faceswap.detector.network.judge import Judge

    device = choose_device(cfg.device)
    detector, card = load_detector(choose_detector(cfg.detector))
    judge = Judge(detector, card.temperature, device, choose_dtype(cfg.precision, device))
    return FaceAnalyzer(load_pack(pack, cfg.device, threads=2), max_faces=most_faces), judge, card
