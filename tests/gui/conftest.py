"""Windows are driven without a screen, and an exception in a slot fails the test."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest

try:
    import PySide6.QtWidgets  # noqa: F401
except ImportError as error:
    pytest.skip(f"no windows: {error}", allow_module_level=True)

from faceswap.faceset.store import Faceset
from faceswap.gui.app import application
from faceswap.gui.mask_editor.window import MaskWindow
from faceswap.gui.merge_window.window import MergeWindow
from faceswap.merge.plan import ClipFaces
from faceswap.merge.record import Record
from faceswap.merge.run import Merger
from faceswap.merge.session import NAME, Clip, Session
from faceswap.merge.settings import MergeSettings
from faceswap.types import Side
from tests.gui.toy_editor import open_editor
from tests.toy_merge import Paint, make_clip

LOOK = MergeSettings(mask_mode="learned-prd", erode=0, color_transfer="none")
Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture(autouse=True)
def no_exception_in_a_slot(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    raised: list[BaseException] = []

    def note(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        raised.append(error)

    application()
    # Qt only prints what a slot raises.
    monkeypatch.setattr(sys, "excepthook", note)
    yield
    if raised:
        raise raised[0]


@pytest.fixture
def wait() -> Wait:
    """Let the window work until something holds."""

    def until(holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end, "it never came true"
            application().processEvents()
            time.sleep(0.005)

    return until


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path)


def open_window(clip: Path) -> MergeWindow:
    clip_faces, paint = ClipFaces.of(clip, Faceset.open(clip / "aligned")), Paint()
    session = Session.open(clip.parent / NAME, Clip.of(clip_faces.frames), LOOK)
    merger = Merger(Record(clip / "merged", clip / "merged_mask"), paint, batch_size=2, workers=2)
    window = MergeWindow(session, clip_faces, merger, paint.identity)
    window.show()
    return window


@pytest.fixture
def window(clip: Path) -> Iterator[MergeWindow]:
    opened = open_window(clip)
    yield opened
    opened.close()


@pytest.fixture
def faces(tmp_path: Path, make_faces: Callable[..., None]) -> Path:
    make_faces(tmp_path / "aligned", 12, Side.DST)
    return tmp_path / "aligned"


@pytest.fixture
def masks(faces: Path) -> Iterator[MaskWindow]:
    opened = open_editor(faces)
    yield opened
    opened.files._give_up()
