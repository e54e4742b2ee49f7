"""- demo: two bundled clips of synthetic actors go in, a finished swapped video comes out

    python -m stages.demo --workspace DIR

Runs every stage as a process of its own, exactly as a user would type it (the commands are printed),
and ends with one picture: source, destination and swap at 10, 30, 50, 70 and 90 % of the clip.
Stopped, the same command continues. The model starts from the bundled base, which has seen neither actor;
`--base none` starts from random weights. The last quarter of the training goes without random warp, which
makes the face sharp.
"""

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import command, say
from faceswap.errors import UserError
from faceswap.io.documents import read_as
from faceswap.io.files import write_json
from faceswap.io.images import write_image
from faceswap.media.storyboard import storyboard
from faceswap.stopping import SIGNALS, exit_code, reason
from faceswap.workspace import assets

MOMENTS = (0.1, 0.3, 0.5, 0.7, 0.9)


class Settings(StageSettings):
    needs_workspace: ClassVar[bool] = False

    workspace: Path = option(Path("workspace/demo"), "folder for the demo's frames, faces, model and result")
    train_minutes: float = option(8, "time to train", unit="minutes", ge=0.1, le=1000)
    base: str = option("demo", "a base model to start from, as in stages.train, or none")

    def writes(self) -> Iterable[Path]:
        return [self.workspace / "demo.png"]


def commands(cfg: Settings) -> list[list[str]]:
    """The words after `python -m` of every stage, in order."""
    here = ["--workspace", str(cfg.workspace)]
    clips = assets() / "demo"
    start = [] if cfg.base == "none" else ["--base", cfg.base]
    train = ["stages.train", *here, "--preset", "demo"]
    warped, sharp = (f"{share * cfg.train_minutes:g}" for share in (0.75, 0.25))
    return [
        ["stages.workspace", *here, "--src", str(clips / "actor_a.mp4"), "--dst", str(clips / "actor_b.mp4")],
        ["stages.extract_src", *here, "--fps", "0"],
        ["stages.extract_dst", *here],
        ["stages.align_src", *here],
        ["stages.align_dst", *here],
        [*train, *start, "--minutes", warped],
        [*train, "--no-random-warp", "--minutes", sharp],
        ["stages.merge", *here, "--preset", "demo_merge"],
        ["stages.encode", *here],
    ]


def main(cfg: Settings) -> None:
    started = time.monotonic()
    record = cfg.workspace / "demo_trained.json"
    trained = read_as(record, list[list[str]]) if record.is_file() else []
    for words in commands(cfg):
        # All other stages see for themselves that nothing is left to do; training could always go on.
        if words[0] == "stages.train" and words in trained:
            say("\nalready trained: for longer, give --train-minutes more")
            continue
        say(f"\n$ {command(*words)}")
        begun = time.monotonic()
        code = run(words)
        if code - 128 in SIGNALS:
            raise reason(code - 128)
        if code:
            raise UserError(
                f"the demo ended at {words[0]}", f"exit code {code}", "its message above says what to do"
            )
        if words[0] == "stages.train":
            trained = [*trained, words]
            write_json(record, trained)
        say(f"  {words[0]}: {time.monotonic() - begun:.0f} s")
    picture = cfg.workspace / "demo.png"
    clips = {"source": assets() / "demo" / "actor_a.mp4", "destination": assets() / "demo" / "actor_b.mp4"}
    write_image(picture, storyboard(clips | {"swap": cfg.place.result}, MOMENTS))
    say(f"\nfinished in {(time.monotonic() - started) / 60:.1f} minutes")
    say(f"the film     {cfg.place.result}\nlook at      {picture}")


def run(words: list[str]) -> int:
    """The exit code of a stage. A stop is handed on and its end waited for: it may have much to save."""
    with subprocess.Popen([sys.executable, "-m", *words]) as stage:
        try:
            return stage.wait()
        except KeyboardInterrupt as stop:
            if sys.platform != "win32":  # where a terminal tells all its processes
                stage.send_signal(exit_code(stop) - 128)
            stage.wait()
            raise


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
