"""9 selftest: how detectable is the finished swap? A report to look at, with its limits

    python -m stages.selftest --workspace DIR
    python -m stages.selftest --workspace DIR --detector FOLDER

Compares the merged frames with the untouched ones and writes selftest/report.html, report.json and
frames.csv. The figures are for you to know; nothing that makes swaps reads them.
"""

from pathlib import Path

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import command, say
from faceswap.errors import UserError
from faceswap.io.files import sha256
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype
from faceswap.workspace import assets

PROMISED = "0.05"


class Settings(StageSettings):
    detector: Path | None = option(None, "folder of a detector (default: the bundled one)")
    every: int = option(1, "judge every so many-th merged frame", ge=1, le=1000)
    device: DeviceName = option("auto", "where to compute")
    precision: Precision = option("auto", "arithmetic of the network")


def main(cfg: Settings) -> None:
    from faceswap.detector.files import WEIGHTS, load_detector
    from faceswap.detector.judge import Judge
    from faceswap.detector.pairs import open_finished
    from faceswap.detector.report import about, write_report
    from faceswap.detector.selftest import run_selftest

    folder = cfg.detector or bundled()
    detector, card = load_detector(folder)
    if PROMISED not in card.thresholds:
        hint = "train it with stages.detector, which calibrates"
        raise UserError(f"{folder} has no threshold for {PROMISED}", "", hint)
    finished = open_finished(cfg.place)
    device = choose_device(cfg.device)
    judge = Judge(detector, card.temperature, device, choose_dtype(cfg.precision, device))
    count = sum(len(finished.faces[stem]) for stem in list(finished.merged)[:: cfg.every])
    test = run_selftest(finished.pairs(cfg.every), count, judge, card.thresholds[PROMISED])
    known = about(folder, card, sha256(folder / WEIGHTS))
    page = write_report(cfg.place.root / "selftest", test, known, card, float(PROMISED))
    cfg.save(page.parent / "selftest.json")
    say(f"look at {page}")


def bundled() -> Path:
    folder = assets() / "detector"
    if not folder.is_dir():
        hint = f"train one: {command('stages.detector', '--help')}, and add --detector FOLDER"
        raise UserError("no detector is bundled with this version yet", "", hint)
    return folder


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
