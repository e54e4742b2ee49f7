"""Looks that ask for a face's own mask or a segmenter's get them where they belong, and only they."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.faceset.polygons import Polygon, polygons_to_json
from faceswap.faceset.store import Face, Faceset, rewrite_meta
from faceswap.faceset.stored_masks import STORED_PX, mask_path, write_mask
from faceswap.geometry.geometry import crop_transform
from faceswap.io.images import read_image, read_mask
from faceswap.merge.face_masks import look_at, with_masks
from faceswap.merge.keyframes import FrameSettings, Keyframes
from faceswap.merge.masks import Prediction, face_mask
from faceswap.merge.plan import ClipFaces, plan
from faceswap.merge.preview import Previewer
from faceswap.merge.record import Record
from faceswap.merge.render import Subject
from faceswap.merge.run import Merger, merge
from faceswap.merge.settings import MergeSettings
from faceswap.types import FaceType, Mask
from tests.toy_masks import Bright
from tests.toy_merge import Paint, make_clip, place_face

XSEG = ("xseg-prd", "xseg-dst", "xseg-prd*xseg-dst", "learned-prd*learned-dst*xseg-prd*xseg-dst")


@pytest.fixture
def swapper() -> Any:
    """Paints faces, and segments by brightness in crops of its own kind."""
    paint: Any = Paint()
    paint.segmenter = Bright(FaceType.FULL, 128)
    return paint


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path)


def run(clip: Path, swapper: Any, mode: str, name: str = "merged", **look: Any) -> list[Mask]:
    """Merge a clip; returns the masks of the frames."""
    clip_faces = ClipFaces.of(clip, Faceset.open(clip / "aligned"))
    settings = MergeSettings(mask_mode=mode, erode=0, blur=0, **look)
    record = Record(clip / name, clip / f"{name}_mask")
    merge(record.begin(plan(clip_faces, "m", Keyframes(settings)), "all"), Merger(record, swapper, 3, 2))
    return [read_mask(path) for path in sorted((clip / f"{name}_mask").glob("*.png"))]


def test_the_segmenter_is_shown_dst_in_its_own_crop_and_size_and_the_swap(swapper: Any) -> None:
    """deepfacelab.md §11.4, modes 6 and 7."""
    frame = np.zeros((120, 200, 3), np.uint8)
    frame[:, :100] = 255
    landmarks = place_face(100, 55, 60, 0)
    face = Subject(landmarks)
    sights = look_at(frame, [face], "xseg-prd*xseg-dst", swapper)
    assert sights[0].crop.shape == (128, 128, 3)
    prediction = swapper([np.zeros((64, 64, 3), np.float32)])[0]
    (done,) = with_masks(sights, [prediction], swapper, 2)
    assert swapper.segmenter.batches == [2]
    # The swap is one grey; dst is white in its left half, as far as the narrower crop shows.
    x_middle = (crop_transform(landmarks, STORED_PX, FaceType.WHOLE) @ (99.5, 55, 1))[0]
    inner = slice(80, 176)
    assert np.abs(done.xseg_prd[inner, inner] - 0.25).max() < 0.01
    assert done.xseg_dst[inner, 60 : int(x_middle) - 4].min() > 0.99
    assert done.xseg_dst[inner, int(x_middle) + 5 :].max() < 0.01
    assert not done.xseg_dst[:, :8].any() and not done.xseg_prd[:, :8].any(), "there it saw nothing"


@pytest.mark.parametrize("mode", ["full", "learned-prd", "learned-dst", "learned-prd*learned-dst", "dst"])
def test_other_looks_never_ask_for_a_segmenter(clip: Path, swapper: Any, mode: str) -> None:
    del swapper.segmenter
    assert run(clip, swapper, mode)[0].any()


@pytest.mark.parametrize("mode", XSEG)
def test_every_face_is_asked_about_in_batches_of_one_size(clip: Path, swapper: Any, mode: str) -> None:
    run(clip, swapper, mode)
    faces = 8 * (("xseg-prd" in mode) + ("xseg-dst" in mode))
    assert set(swapper.segmenter.batches) == {3} and sum(swapper.segmenter.batches) >= faces


def test_masks_of_different_sizes_are_multiplied_place_by_place() -> None:
    half, top = np.zeros((64, 64), np.float32), np.zeros((256, 256), np.float32)
    half[:, :32], top[:128] = 1, 1
    prediction = Prediction(np.zeros((64, 64, 3), np.float32), half, half, top, top)
    mask = face_mask(XSEG[3], prediction, np.zeros((68, 2), np.float32))
    assert mask[100, 100] == 1 and mask[400, 100] < 0.01 and mask[100, 400] < 0.01


def square(face: Face, low: float, high: float) -> None:
    points = np.array([(low, low), (high, low), (high, high), (low, high)], np.float32)
    rewrite_meta(face.path, replace(face.meta, polygons=polygons_to_json([Polygon("include", points)])))


@pytest.mark.parametrize("mode", ["dst", "xseg-dst"])
def test_a_drawn_mask_counts_before_the_stored_one_and_that_before_hull_and_segmenter(
    clip: Path, swapper: Any, mode: str
) -> None:
    swapper.segmenter.face_type = FaceType.WHOLE
    found = [run(clip, swapper, mode, f"{mode}0")[0]]
    face = Faceset.open(clip / "aligned").faces[0]
    write_mask(face, np.pad(np.ones((100, 100), np.float32), 78), "m")
    found.append(run(clip, swapper, mode, f"{mode}1")[0])
    square(face, 40, 60)
    found.append(run(clip, swapper, mode, f"{mode}2")[0])
    scale = np.sqrt(abs(np.linalg.det(face.meta.frame_to_face[:, :2])))
    stored_px, drawn_px = (100 * 96 / 256 / scale) ** 2, (20 / scale) ** 2
    assert found[1].sum() == pytest.approx(stored_px, rel=0.06)
    assert found[2].sum() == pytest.approx(drawn_px, rel=0.12)
    assert abs(found[0].sum() - stored_px) > 0.1 * stored_px


def test_only_frames_whose_mask_changed_are_merged_again(clip: Path, swapper: Any) -> None:
    def marks(mode: str, segmenter: str = "s") -> list[str]:
        clip_faces = replace(ClipFaces.of(clip, Faceset.open(clip / "aligned")), segmenter=lambda: segmenter)
        return [task.mark for task in plan(clip_faces, "m", Keyframes(MergeSettings(mask_mode=mode)))]  # type: ignore

    modes = ("dst", "xseg-dst", "xseg-prd", "learned-dst")
    before = {mode: marks(mode) for mode in modes}
    write_mask(Faceset.open(clip / "aligned").faces[1], np.ones((STORED_PX, STORED_PX), np.float32), "m")
    changed = {mode: [a != b for a, b in zip(before[mode], marks(mode), strict=True)] for mode in modes}
    one = [False, True] + [False] * 6
    assert changed == {"dst": one, "xseg-dst": one, "xseg-prd": [False] * 8, "learned-dst": [False] * 8}
    other = {mode: [a != b for a, b in zip(marks(mode), marks(mode, "t"), strict=True)] for mode in modes}
    with_face = [number != 2 for number in range(8)]
    assert other["xseg-dst"] == other["xseg-prd"] == with_face
    assert not any(other["dst"]) and not any(other["learned-dst"])


def test_a_damaged_mask_ends_the_merge_with_its_name(clip: Path, swapper: Any) -> None:
    face = Faceset.open(clip / "aligned").faces[0]
    write_mask(face, np.ones((STORED_PX, STORED_PX), np.float32), "m")
    mask_path(face.path).write_bytes(b"damage")
    with pytest.raises(UserError, match="is damaged"):
        run(clip, swapper, "dst")


@pytest.mark.parametrize("mode", ["dst", *XSEG])
def test_the_window_shows_what_is_written(clip: Path, swapper: Any, mode: Any) -> None:
    square(Faceset.open(clip / "aligned").faces[0], 30, 70)
    written = run(clip, swapper, mode)
    previewer = Previewer(ClipFaces.of(clip, Faceset.open(clip / "aligned")), swapper)
    look = FrameSettings(MergeSettings(mask_mode=mode, erode=0, blur=0), {})
    for index in (0, 4):
        shown = previewer.show(index, look)
        assert np.abs(shown.mask - written[index]).max() <= 0.5 / 255 + 1e-6
        assert np.array_equal(shown.result, read_image(sorted((clip / "merged").glob("*.png"))[index]))
