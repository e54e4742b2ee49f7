"""9 selftest: how detectable is the finished swap? A report to look at, with its limits

    python -m stages.selftest --workspace DIR
    python -m stages.selftest --workspace DIR --clip DIR/result.mp4
    python -m stages.selftest --workspace DIR --checkpoints --model NAME

Compares the merged frames, or a finished clip, with the untouched frames and writes selftest/report.html,
report.json and frames.csv. The untouched frames of a clip go through the same encoder first. The figures are
for you to know; nothing that makes swaps reads them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import command, say
from faceswap.errors import UserError
from faceswap.io.files import list_images, sha256
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype

if TYPE_CHECKING:
    from faceswap.detector.data.pairs import Comparison
    from faceswap.detector.network.judge import Judge
    from faceswap.detector.selftest.checkpoints import Judged


class Settings(StageSettings):
    detector: Path | None = option(None, "folder of a detector (default: the bundled one)")
    clip: Path | None = option(None, "a finished clip (default: the merged frames, else result.mp4)")
    every: int = option(1, "judge every so many-th frame", ge=1, le=1000)
    checkpoints: bool = option(False, "also merge a few frames with every checkpoint of the model")
    checkpoint_frames: int = option(20, "frames merged with every checkpoint", ge=2, le=1000)
    model: str | None = option(None, "whose checkpoints; the only model if there is one")
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the networks")

    def writes(self) -> Iterable[Path]:
        return [self.place.root / "selftest"]

    def reads(self) -> Iterable[Path]:
        return [self.clip or self.place.merged]


def main(cfg: Settings) -> None:
    require_finished(cfg)
    from faceswap.detector.network.files import WEIGHTS, choose_detector, load_detector
    from faceswap.detector.network.judge import Judge
    from faceswap.detector.selftest.report import about, write_report
    from faceswap.detector.selftest.selftest import run_selftest

    folder = choose_detector(cfg.detector)
    detector, card = load_detector(folder)
    comparison, device = opened(cfg), choose_device(cfg.device)
    judge = Judge(detector, card.temperature, device, choose_dtype(cfg.precision, device))
    known = about(folder, card, sha256(folder / WEIGHTS))
    curve = checkpoints(cfg, judge) if cfg.checkpoints else None
    test = run_selftest(comparison, judge, card, known, cfg.every, curve)
    page = write_report(cfg.place.root / "selftest", cfg.place.root.resolve().name, test)
    cfg.save(page.parent / "selftest.json")
    say(f"{test.report.verdict.word}: {test.report.verdict.sentence}")
    say(f"look at {page}")


def require_finished(cfg: Settings) -> None:
    """UserError where nothing is there to be judged, before libraries load that take seconds."""
    place, clip = cfg.place, cfg.clip or cfg.place.result
    if cfg.detector is not None and not cfg.detector.is_dir():
        hint = "leave --detector out for the bundled one"
        raise UserError(f"no detector in {cfg.detector}", "there is no such folder", hint)
    if cfg.clip is not None and not cfg.clip.is_file():
        raise UserError(f"no file {cfg.clip}", "", "name a finished clip: --clip FILE")
    if cfg.checkpoints:
        place.model(cfg.model)
    if not list_images(place.merged) and not clip.is_file():
        hint = f"merge first: {command('stages.merge', '--workspace', place.root)}"
        raise UserError(f"no merged frames in {place.merged}", "", hint)


def opened(cfg: Settings) -> "Comparison":
    from faceswap.detector.data.pairs import open_finished
    from faceswap.detector.selftest.clip import open_clip

    place = cfg.place
    if cfg.clip is not None:
        return open_clip(place, cfg.clip)
    if not list_images(place.merged) and place.result.is_file():
        return open_clip(place, place.result)
    return open_finished(place)


def checkpoints(cfg: Settings, judge: "Judge") -> "Iterator[Judged]":
    from faceswap.detector.data.pairs import untouched
    from faceswap.detector.selftest.checkpoints import judge_checkpoints, merged_look, take_shots

    run, look = cfg.place.model(cfg.model), merged_look(cfg.place.merged / "merge.json")
    shots = take_shots(*untouched(cfg.place), cfg.checkpoint_frames)
    return judge_checkpoints(run, shots, look, judge, choose_dtype(cfg.precision, judge.device))


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
