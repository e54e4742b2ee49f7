"""Real stages stopped while their screen breaks: what was done is saved, and the same command goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from faceswap.faceset.polygons import Polygon, polygons_to_json
from faceswap.faceset.store import Faceset, rewrite_meta
from faceswap.io.files import list_images
from faceswap.io.images import read_image, write_image
from faceswap.learn import checkpoint
from faceswap.media.extract import extract
from faceswap.media.timestamps import Choice
from faceswap.types import Side
from tests.conftest import MakeFaces
from tests.detector.toy_set import gather_toys
from tests.stages.test_merge import make_job
from tests.stages.training import SIZES

fcntl = pytest.importorskip("fcntl", reason="signals and terminals of POSIX")
termios = pytest.importorskip("termios", reason="signals and terminals of POSIX")
REPOSITORY = Path(__file__).parents[2]


@dataclass
class Work:
    """A stage with much to do. words: what starts it.

    done: how far it is, as others see while it works, and the least of that to stop it at. kept: how far the
    next run finds it. more: words that end the next run soon. ended: whether that one did all.
    """

    words: list[str]
    done: Callable[[], int]
    kept: Callable[[], int]
    ended: Callable[[], bool]
    least: int = 3
    more: Callable[[int], list[str]] = lambda kept: []


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def newest(run: Path) -> int:
    return checkpoint.load(run).iteration


def train(place: Path, tools: SimpleNamespace) -> Work:
    tools.faces(place / "data_src" / "aligned", 4, Side.SRC)
    tools.faces(place / "data_dst" / "aligned", 3, Side.DST)
    run = place / "model" / "new"
    return Work(
        ["stages.train", "--workspace", str(place), *SIZES.split(), "--device", "cpu"],
        lambda: lines(run / "history.jsonl"),
        lambda: newest(run) if newest(run) == lines(run / "history.jsonl") else 0,
        lambda: f"training from iteration {newest(run) - 1} on" in (run / "log.txt").read_text(),
        more=lambda kept: ["--iterations", str(kept + 1)],
    )


def mask_train(place: Path, tools: SimpleNamespace) -> Work:
    tools.faces(place / "data_dst" / "aligned", 4, Side.DST)
    marked = polygons_to_json([Polygon("include", np.array([(10, 10), (80, 10), (40, 80)], np.float32))])
    for face in Faceset.open(place / "data_dst" / "aligned").faces:
        rewrite_meta(face.path, replace(face.meta, polygons=marked))
    run, shown = place / "model" / "masks", place / "model" / "masks" / "preview.png"
    small = "--base scratch --input-px 64 --batch-size 2 --preview-seconds 1 --device cpu"
    return Work(
        ["stages.mask_train", "--workspace", str(place), *small.split()],
        lambda: int(shown.is_file()),
        lambda: newest(run),
        lambda: len(checkpoint.saved(run)) == 2,
        least=1,
        more=lambda kept: ["--iterations", str(kept + 1)],
    )


def detector(place: Path, tools: SimpleNamespace) -> Work:
    gather_toys(place / "set")
    run = place / "run"
    small = "--pairs 2 --input-px 32 --exam-pairs 10 --device cpu --iterations 150"
    return Work(
        ["stages.detector", "train", "--set", str(place / "set"), "--output", str(run), *small.split()],
        lambda: 50 * lines(run / "log.jsonl"),
        lambda: newest(run),
        lambda: newest(run) == 150,
    )


def align(place: Path, tools: SimpleNamespace) -> Work:
    for number in range(1, 81):
        frame = np.zeros((480, 640, 3), np.uint8)
        tools.toy.draw(frame, number % 18, 5, dx=1.3, dy=-0.8)
        write_image(place / "data_dst" / f"{number:05d}.png", frame)
    aligned = place / "data_dst" / "aligned"
    small = ["--face-models", str(tools.pack), "--device", "cpu", "--size-px", "128", "--workers", "1"]
    return Work(
        ["stages.align_dst", "--workspace", str(place), *small],
        lambda: len(list_images(aligned)),
        lambda: sum(read_image(path).shape == (128, 128, 3) for path in list_images(aligned)),
        lambda: len(list_images(aligned)) == 80,
    )


def merge(place: Path, tools: SimpleNamespace) -> Work:
    make_job(place, frames=80, size=(240, 320))
    merged = place / "data_dst" / "merged"
    return Work(
        ["stages.merge", "--workspace", str(place), "--workers", "1", "--device", "cpu"],
        lambda: len(list_images(merged)),
        lambda: sum(read_image(path).shape == (240, 320, 3) for path in list_images(merged)),
        lambda: len(list_images(merged)) == 80,
    )


def encode(place: Path, tools: SimpleNamespace) -> Work:
    clip = tools.clip.make(place / "data_dst.mp4", [33 * i for i in range(200)], size=(320, 240))
    folder = place / "data_dst"
    made = extract([clip], folder, Choice())
    (folder / "merged").mkdir()
    for frame in made.frames:
        os.link(folder / frame.name, folder / "merged" / frame.name)
    result = place / "result.mp4"
    return Work(
        ["stages.encode", "--workspace", str(place), "--quality", "0"],
        lambda: 3 * len(list(place.glob(".result.*.tmp*"))),
        lambda: 3 * (not result.exists()),
        lambda: len(tools.clip.shown(result)[1]) == 200,
    )


class Broken:
    """A started process whose screen breaks as it is asked to stop."""

    codes: tuple[int, ...]

    def start(self, command: list[str], **how: object) -> "subprocess.Popen[bytes]":
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, preexec_fn=self.prepare, **how
        )  # type: ignore[call-overload]
        return self.process

    def prepare(self) -> None:
        # A job in a shell's background, as this test may be, does not hear Ctrl-C.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def stop(self) -> None:
        raise NotImplementedError


class Pipe(Broken):
    """`… | tee log`, Ctrl-C: the reader goes first."""

    codes = (130,)

    def start(self, command: list[str], **_: object) -> "subprocess.Popen[bytes]":
        self.reader, writer = os.pipe()
        process = super().start(command, stdout=writer, stderr=writer)
        os.close(writer)
        return process

    def stop(self) -> None:
        os.close(self.reader)
        self.process.send_signal(signal.SIGINT)


class Terminal(Broken):
    """A terminal of its own that hangs up, as one does whose ssh line is lost: the system sends SIGHUP."""

    codes = (129,)

    def start(self, command: list[str], **_: object) -> "subprocess.Popen[bytes]":
        self.ours, self.theirs = os.openpty()
        process = super().start(command, stdin=self.theirs, stdout=self.theirs, stderr=self.theirs)
        os.close(self.theirs)
        return process

    def prepare(self) -> None:
        super().prepare()
        os.setsid()
        fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)

    def stop(self) -> None:
        os.close(self.ours)


class Closed(Broken):
    """`>&- 2>&-`, and then a machine that is shut down, whose shells hand on what it sends."""

    # Of signals that come together Python hears the one with the least number first.
    codes = (129, 143)

    def prepare(self) -> None:
        super().prepare()
        os.closerange(0, 3)

    def stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
            self.process.send_signal(number)


QUICK = {(train, Pipe), (align, Terminal), (encode, Closed)}
CASES = [
    pytest.param(make, how, marks=[] if (make, how) in QUICK else [pytest.mark.slow])
    for make in (train, mask_train, detector, align, merge, encode)
    for how in (Pipe, Terminal, Closed)
]


@pytest.fixture
def tools(
    make_faces: MakeFaces, toy: SimpleNamespace, toy_pack: Path, toy_clip: SimpleNamespace
) -> SimpleNamespace:
    return SimpleNamespace(faces=make_faces, toy=toy, pack=toy_pack, clip=toy_clip)


@pytest.mark.parametrize(("make", "how"), CASES)
def test_what_was_done_is_saved_and_the_same_command_goes_on(
    make: Callable[[Path, SimpleNamespace], Work], how: type[Broken], tmp_path: Path, tools: SimpleNamespace
) -> None:
    work, screen = make(tmp_path / "job", tools), how()
    command = [sys.executable, "-m", *work.words]
    process = screen.start(command)
    while (done := work.done()) < work.least:
        assert process.poll() is None
        time.sleep(0.01)
    screen.stop()
    assert process.wait(120) in screen.codes
    kept = work.kept()
    assert kept >= done
    # Neither half-written files nor locks are left.
    assert not list((tmp_path / "job").rglob(".*"))
    again = subprocess.run(
        [*command, *work.more(kept)], env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 0 and "damaged" not in again.stdout, again.stdout + again.stderr
    assert work.ended()
