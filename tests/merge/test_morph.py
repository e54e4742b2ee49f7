"""The setting `morph` reaches the model for every face, and pictures of one morph never serve another."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from faceswap.faceset.store import Faceset
from faceswap.io.images import read_image
from faceswap.merge.keyframes import Keyframes
from faceswap.merge.masks import Prediction
from faceswap.merge.plan import ClipFaces, plan
from faceswap.merge.preview import Previewer
from faceswap.merge.record import Record
from faceswap.merge.run import Merger, merge
from faceswap.merge.settings import MergeSettings
from faceswap.types import Image
from tests.toy_merge import Paint, make_clip

PLAIN = MergeSettings(mask_mode="full", color_transfer="none", erode=0, blur=0)


class Morphing(Paint):
    """Faces as bright as their morph."""

    def __call__(self, crops: Sequence[Image], morphs: Sequence[float] = ()) -> list[Prediction]:
        answers = super().__call__(crops)
        return [
            answer._replace(face=np.full((64, 64, 3), morph, np.float32))
            for answer, morph in zip(answers, morphs, strict=True)
        ]


@pytest.fixture
def clip_faces(tmp_path: Path) -> ClipFaces:
    clip = make_clip(tmp_path)
    return ClipFaces.of(clip, Faceset.open(clip / "aligned"))


def ramp() -> Keyframes:
    """From dst in the first frame to src in the last, and its own value in frame 5, which has two faces."""
    looks = Keyframes(PLAIN).key({"morph": 0.0}, 0).key({"morph": 1.0}, 7)
    return looks.set({"morph": 0.4}, 4, 4)


def brightness(picture: np.ndarray) -> float:
    """Of the pixel in the middle of the first face."""
    return float(picture[58, 60].mean() / np.iinfo(picture.dtype).max)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_every_frame_of_a_merge_has_its_own_morph(
    tmp_path: Path, clip_faces: ClipFaces, batch_size: int
) -> None:
    looks, swapper = ramp(), Morphing()
    record = Record(tmp_path / "merged", tmp_path / "merged_mask")
    todo = record.begin(plan(clip_faces, swapper.identity, looks))
    merge(todo, Merger(record, swapper, batch_size, 1))
    for index, faces in enumerate(clip_faces.faces):
        if faces:
            picture = read_image(record.outputs(clip_faces.frames[index].stem)[0])
            assert brightness(picture) == pytest.approx(looks.at(index).settings.morph, abs=0.01)


def test_frames_of_another_morph_are_merged_again(clip_faces: ClipFaces) -> None:
    marks = [
        [task.mark for task in plan(clip_faces, "m", Keyframes(PLAIN.model_copy(update={"morph": morph})))]
        for morph in (0.5, 0.6)
    ]
    same = [index for index, (a, b) in enumerate(zip(*marks, strict=True)) if a == b]
    assert [index for index, faces in enumerate(clip_faces.faces) if not faces] == same


def test_the_preview_follows_the_morph_and_asks_the_model_once_for_each(clip_faces: ClipFaces) -> None:
    swapper = Morphing()
    previewer = Previewer(clip_faces, swapper)
    looks = [Keyframes(PLAIN.model_copy(update={"morph": morph})).at(0) for morph in (0.2, 0.8, 0.2)]
    shown = [brightness(previewer.show(0, look).result) for look in looks]
    assert shown == pytest.approx([0.2, 0.8, 0.2], abs=0.01)
    assert len(swapper.batches) == 2
    previewer.prepare(0, looks[1])
    assert len(swapper.batches) == 2
