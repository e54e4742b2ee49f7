"""Windows use the room that there is: of a small screen, and of a large one."""

from pathlib import Path

import pytest
from PySide6.QtTest import QTest

from faceswap.gui.masks_strip import COUNT, THUMB_PX
from faceswap.types import Side
from tests.conftest import MakeFaces
from tests.gui.toy_editor import open_editor


@pytest.fixture
def faces(tmp_path: Path, make_faces: MakeFaces) -> Path:
    make_faces(tmp_path, COUNT, Side.DST)
    return tmp_path


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (2560, 1440)])
def test_the_mask_editors_face_and_strip_grow_with_the_window(faces: Path, width: int, height: int) -> None:
    window = open_editor(faces)
    window.resize(width, height)
    QTest.qWait(50)
    crop_px = window.canvas._target().height()
    assert crop_px >= 0.72 * height
    places = window.parts.strip._places()
    assert places[0].left() >= 0
    assert places[-1].right() <= window.parts.strip.width()
    assert all(place.top() >= 0 and place.bottom() <= window.parts.strip.height() for place in places)
    # At 1280 px it is as large as ever, at 2560 px twice as large.
    assert 96 * width / 1280 - 6 <= places[COUNT // 2].width() <= THUMB_PX
    window.close()


def test_a_window_opens_at_1280_by_720_or_larger(faces: Path) -> None:
    window = open_editor(faces)
    room = window.screen().availableSize()
    assert window.width() == max(1280, room.width() * 9 // 10)
    assert window.height() == max(720, room.height() * 9 // 10)
    assert max(place.width() for place in window.parts.strip._places()) <= THUMB_PX
    window.close()
