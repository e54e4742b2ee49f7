"""What comes next is the first step of the README's walk that is not done."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from faceswap.types import Side
from faceswap.walk import next_step
from faceswap.workspace import MASK_SETTINGS, Workspace


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


# What each step leaves behind, in the order of the README.
STEPS: dict[str, Callable[[Workspace], None]] = {
    "workspace": lambda place: put(place.root / "data_src.mp4", place.root / "data_dst.MOV"),
    "extract_src": lambda place: put(place.frames(Side.SRC) / "1.png"),
    "extract_dst": lambda place: put(place.frames(Side.DST) / "1.png"),
    "align_src": lambda place: put(place.aligned(Side.SRC) / "1_0.jpg"),
    "align_dst": lambda place: put(place.aligned(Side.DST) / "1_0.jpg"),
    "train": lambda place: put(place.models / "new" / "checkpoints" / "00000001" / "state.json"),
    "merge": lambda place: put(place.merged / "1.png"),
    "encode": lambda place: put(place.result),
}


def test_every_stage_names_the_next_one_of_the_readme(tmp_path: Path) -> None:
    place, order = Workspace(tmp_path), [*STEPS, "selftest"]
    for done, following in itertools.pairwise(order):
        STEPS[done](place)
        assert f"stages.{following} " in next_step(place, done)


@pytest.mark.parametrize(
    ("done", "after", "following"),
    [
        (["workspace", "extract_dst"], "extract_dst", "extract_src"),
        (["workspace", "extract_dst", "align_dst", "extract_src"], "align_dst", "align_src"),
        (["workspace", "extract_src", "align_src"], "mask_apply", "extract_dst"),
        (list(STEPS), "extract_src", "align_src"),  # What was made of other frames is made anew.
        (list(STEPS), "align_dst", "train"),
        (list(STEPS), "mask_apply", "train"),
        (["extract_dst", "align_dst", "train"], "train", "merge"),  # Its source lay elsewhere.
        (["train"], "pretrain", "workspace"),
        (list(STEPS)[:5], "pretrain", "train"),
        (["workspace", "extract_src", "align_src", "align_dst"], "align_dst", "train"),  # --stream
    ],
)
def test_what_is_undone_comes_first_and_what_is_outdated_is_undone(
    tmp_path: Path, done: list[str], after: str, following: str
) -> None:
    for step in done:
        STEPS[step](Workspace(tmp_path))
    assert f"stages.{following} " in next_step(Workspace(tmp_path), after)


def test_flags_go_to_the_step_that_they_are_for_and_mask_models_are_no_models_of_faces(
    tmp_path: Path,
) -> None:
    place = Workspace(tmp_path)
    assert "--src CLIP" in next_step(place, "workspace")
    for step in list(STEPS)[:6]:
        STEPS[step](place)
    assert next_step(place, "train", "--model", "new").endswith("--model new")
    put(place.models / "new" / MASK_SETTINGS)
    assert "stages.train " in next_step(place, "workspace")
