"""A person's hand on a session: each change is for the frames that the scope names."""

from pathlib import Path

import pytest

from faceswap.merge.editing import SCOPES, Editor, Scope
from faceswap.merge.plan import ClipFaces
from faceswap.merge.session import NAME, Clip, Session
from faceswap.merge.settings import MergeSettings
from tests.toy_merge import place_face

FRAMES_N = 8
STEMS = tuple(f"{number:05d}" for number in range(FRAMES_N))


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    """Two people who change places in the list of faces at frame 4; the second leaves at frame 6."""
    left, right = place_face(60, 55, 30), place_face(145, 55, 30)
    faces = [(left, right)] * 4 + [(right, left)] * 2 + [(left,)] * 2
    clip = ClipFaces(tuple(Path(f"{stem}.png") for stem in STEMS), tuple(faces))
    session = Session.open(tmp_path / NAME, Clip(STEMS, "digest"), MergeSettings(erode=0))
    return Editor(session, clip)


def erodes(editor: Editor) -> list[int]:
    return [editor.session.looks.at(frame).settings.erode for frame in range(FRAMES_N)]


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        ("from here on", [0, 0, 0, 9, 9, 9, 9, 9]),
        ("this frame", [0, 0, 0, 9, 0, 0, 0, 0]),
        ("range", [0, 9, 9, 9, 9, 0, 0, 0]),
        ("all frames", [9] * 8),
        ("keyframe", [0, 0, 0, 9, 9, 9, 9, 9]),
    ],
)
def test_a_change_is_for_the_frames_of_its_scope(editor: Editor, scope: Scope, wanted: list[int]) -> None:
    assert scope in SCOPES
    editor.scope, editor.range = scope, (1, 4)
    editor.go(3)
    assert editor.change({"erode": 9}, moving=False)
    assert erodes(editor) == wanted


def test_a_setting_that_runs_between_keyframes_gets_one_more_instead_of_being_cut_off(editor: Editor) -> None:
    editor.session.change(editor.session.looks.key({"erode": 0}, 0).key({"erode": 60}, 6))
    editor.go(3)
    editor.change({"erode": 0}, moving=False)
    assert erodes(editor) == [0, 0, 0, 0, 20, 40, 60, 60]


def test_leaving_a_person_alone_follows_the_person_not_the_number(editor: Editor) -> None:
    editor.face = 1
    assert editor.act("skip")
    actions = [dict(editor.session.looks.at(frame).actions) for frame in range(FRAMES_N)]
    assert actions == [{1: "skip"}] * 4 + [{0: "skip"}] * 2 + [{}] * 2


def test_a_slider_that_comes_back_leaves_nothing_changed(editor: Editor) -> None:
    editor.change({"erode": 5}, moving=True)
    editor.change({"erode": 0}, moving=True)
    editor.settle()
    assert erodes(editor) == [0] * FRAMES_N


def test_a_change_that_changes_nothing_is_no_step(editor: Editor) -> None:
    assert not editor.change({"erode": 0}, moving=False)
    assert not editor.change({}, moving=False)
    assert not editor.session.can_undo


def test_going_to_another_frame_ends_a_slider(editor: Editor) -> None:
    editor.change({"erode": 5}, moving=True)
    editor.go(2)
    editor.change({"erode": 7}, moving=False)
    editor.session.undo()
    assert erodes(editor) == [5] * FRAMES_N
