"""Shared fixtures: where the test data lies, and a stage run as a user would run it."""

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from faceswap.errors import UserError
from faceswap.system import HINT, explain_import, missing_libraries
from faceswap.types import FaceType, Side

LACKING: UserError | None = None
try:
    import cv2
    import numpy as np

    from faceswap.faceset.metadata import FaceMeta
    from faceswap.faceset.store import write_face
    from faceswap.geometry.geometry import HEAD_MODEL, crop_transform

    # Two cores are shared with whatever else runs: more threads than this only fight.
    cv2.setNumThreads(1)
except ImportError as error:
    LACKING = explain_import(error)
    if LACKING is None:
        raise

REPOSITORY = Path(__file__).parent.parent
SHARED = REPOSITORY.parent / "shared" / "data"

RunStage = Callable[..., "subprocess.CompletedProcess[str]"]

MakeFaces = Callable[..., None]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SkipLacking())
    # nohup has whatever it starts ignore SIGHUP, and a shell SIGINT in the background; stages respect that,
    # and tests send both.
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session: pytest.Session) -> None:
    """What pip cannot carry is named before anything else, also with -q, and with the line to type."""
    lacking = missing_libraries()
    if lacking and (reporter := session.config.pluginmanager.get_plugin("terminalreporter")):
        reporter.write_line(f"missing here, and skipped what needs it: {', '.join(lacking)}\n  {HINT}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without OpenCV only the tests that are marked `bare` run, since fixtures need it."""
    for item in items if LACKING else []:
        if item.get_closest_marker("bare") is None:
            item.add_marker(pytest.mark.skip(reason=LACKING.what))


class SkipLacking:
    """Skips what comes to a library that the system lacks, by that name.

    A plugin of its own, since pytest asks no conftest about the folder that another conftest lies in.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self,
        collector: pytest.Collector,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """A file, or folder, that imports what the system lacks is skipped by that name."""
        report = yield
        _skip_lacking(report, getattr(report, "call", None))
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """So is a test that comes to it later."""
        report = yield
        _skip_lacking(report, call)
        return report


def _skip_lacking(
    report: pytest.CollectReport | pytest.TestReport, call: pytest.CallInfo[Any] | None
) -> None:
    error = call.excinfo.value if call is not None and call.excinfo is not None else None
    while error is not None:
        what = explain_import(error) if isinstance(error, ImportError) else error
        if isinstance(what, UserError) and "which pip cannot install" in what.what:
            report.outcome, report.longrepr = "skipped", (__file__, 0, f"Skipped: {what.what}")
            return
        # pytest wraps what a conftest raises, and chains what a module does.
        error = getattr(error, "cause", None) or error.__cause__


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Clips and truth that may not be committed; tests that need them skip where they are absent."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data, which lies beside the repository only where it is developed")
    return SHARED


@pytest.fixture(scope="session")
def demo_clips() -> Path:
    """The bundled clips of the two synthetic actors, with their truth."""
    return REPOSITORY / "assets" / "demo"


@pytest.fixture(scope="session")
def toy() -> SimpleNamespace:
    """tests/toy_pack.py: `build` writes a pack of buffalo_l's shape, `draw` a face that it finds."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_pack.py")))


@pytest.fixture(scope="session")
def toy_clip() -> SimpleNamespace:
    """tests/toy_clip.py: `make` writes a small clip, `shown` and `click_s` tell what one shows and sounds."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "toy_clip.py")))


@pytest.fixture(scope="session")
def toy_pack(toy: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a toy pack."""
    return Path(toy.build(tmp_path_factory.mktemp("packs") / "toy"))


@pytest.fixture
def run_stage(tmp_path: Path) -> RunStage:
    """Run `python -m stages.NAME …` as a process; returns its exit code, output and errors."""

    def run(*words: object, check: bool = False) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", f"stages.{words[0]}", *map(str, words[1:])]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=600
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    return run


@pytest.fixture(scope="session")
def make_faces() -> MakeFaces:
    """Fill a folder with crops of smooth random colours, each with the mean head's landmarks as metadata."""

    def make(
        folder: Path, count: int, side: Side, face_type: FaceType = FaceType.WHOLE, size_px: int = 96
    ) -> None:
        landmarks = (1.6 * HEAD_MODEL[:, :2] + (320, 260)).astype(np.float32)
        to_face = crop_transform(landmarks, size_px, face_type)
        for index in range(count):
            colours = np.random.default_rng([index, len(side), ord(side[0])]).integers(0, 256, (6, 6, 3))
            crop = cv2.resize(colours.astype(np.uint8), (size_px, size_px), interpolation=cv2.INTER_LINEAR)
            meta = FaceMeta(f"{index:05d}.png", to_face, size_px, landmarks, face_type, side, 0, 0.9)
            write_face(folder / f"{index:05d}_0.png", crop, meta)

    return make
