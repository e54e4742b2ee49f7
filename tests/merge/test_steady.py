"""Light and masks averaged along the clip: what trembles goes, what happens stays."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from faceswap.color.matching import Moment
from faceswap.faceset.store import Faceset
from faceswap.geometry.warp import crop_face
from faceswap.io.images import read_image, write_image
from faceswap.merge.flicker import flicker
from faceswap.merge.keyframes import FrameSettings, Keyframes
from faceswap.merge.masks import Prediction
from faceswap.merge.plan import ClipFaces, Task, plan
from faceswap.merge.preview import Previewer
from faceswap.merge.record import Record
from faceswap.merge.run import Merger, merge
from faceswap.merge.settings import MergeSettings
from faceswap.merge.steady import ClipMeasures
from faceswap.types import FaceType, Image, Mask
from tests.toy_merge import HEIGHT, WIDTH, Paint, add_face, place_face

SIDE = 64
FACE = place_face(60, 55, 30)


class Shaky(Paint):
    """A swapper whose mask follows the noise of what it sees, as a real one's does."""

    def __call__(self, crops: Sequence[Image], _morphs: Sequence[float] = ()) -> list[Prediction]:
        y, x = np.indices((SIDE, SIDE), np.float32)
        answers = []
        for crop, answer in zip(crops, super().__call__(crops), strict=True):
            radius = 16 + 40 * float(crop[30:34, 30:34].mean() - 0.5)
            mask = np.clip(radius - np.hypot(x - 32, y - 34), 0, 1).astype(np.float32)
            answers.append(answer._replace(mask_prd=mask, mask_dst=mask))
        return answers


def seen(
    folder: Path, shades: Sequence[float], masks: Sequence[Mask] | None = None
) -> tuple[ClipMeasures, ClipFaces]:
    """A clip of plain grey frames, measured; its face stands still."""
    clip_faces = ClipFaces(tuple(Path(f"{n:03d}.png") for n in range(len(shades))), ((FACE,),) * len(shades))
    measures = ClipMeasures(clip_faces, "m", FaceType.WHOLE, folder)
    texture = np.random.default_rng(0).normal(0, 8, (HEIGHT, WIDTH, 3))
    for index, shade in enumerate(shades):
        frame = np.clip(np.rint(shade + texture), 0, 255).astype(np.uint8)
        mask = np.ones((SIDE, SIDE), np.float32) if masks is None else masks[index]
        prediction = Prediction(np.zeros((SIDE, SIDE, 3), np.float32), mask, mask)
        task = clip_faces.task(index, FrameSettings(MergeSettings(), {}), "m")
        measures.keep(task, frame, [crop_face(frame, FACE, SIDE, FaceType.WHOLE)], [prediction])
    return measures, clip_faces


def at(
    measures: ClipMeasures, clip_faces: ClipFaces, index: int, **smooth: int
) -> tuple[Moment | None, Mask]:
    """Tone and mask of one frame's face."""
    settings = MergeSettings(**smooth)
    (subject,) = clip_faces.subjects(index, FrameSettings(settings, {})).values()
    blank = np.zeros((SIDE, SIDE), np.float32)
    steady, prediction = measures.steadied(subject, Prediction(blank, blank, blank), settings)
    return steady.tone, prediction.mask_dst


def light(measures: ClipMeasures, clip_faces: ClipFaces, shades: Sequence[float]) -> np.ndarray:
    """The shade that each frame's face is taken to have, in 255ths."""
    taken = []
    for index, shade in enumerate(shades):
        tone, _ = at(measures, clip_faces, index, smooth_color=5)
        assert tone is not None
        taken.append(tone[0, 0] * shade + 255 * tone[1, 0])
    return np.array(taken)


def test_light_that_trembles_is_steadied_around_its_mean(tmp_path: Path) -> None:
    shades = (120 + np.random.default_rng(1).normal(0, 2, 60)).tolist()
    measures, clip_faces = seen(tmp_path, shades)
    steady = light(measures, clip_faces, shades)
    assert steady.std() < 0.45 * np.std(shades)
    assert abs(steady.mean() - np.mean(shades)) < 0.3


def test_a_lamp_that_is_switched_on_is_so_at_once_and_without_lag(tmp_path: Path) -> None:
    shades = [80.0] * 12 + [160.0] * 12
    measures, clip_faces = seen(tmp_path, shades)
    assert np.abs(light(measures, clip_faces, shades) - shades).max() < 1


def test_light_that_rises_evenly_does_not_lag(tmp_path: Path) -> None:
    shades = list(np.linspace(100, 130, 31))
    measures, clip_faces = seen(tmp_path, shades)
    assert np.abs(light(measures, clip_faces, shades) - shades)[6:-6].max() < 0.3


def test_an_average_of_equal_frames_changes_nothing(tmp_path: Path) -> None:
    measures, clip_faces = seen(tmp_path, [120.0] * 9)
    tone, mask = at(measures, clip_faces, 4, smooth_color=3, smooth_mask=3)
    assert tone is not None
    np.testing.assert_allclose(tone, [[1, 1, 1], [0, 0, 0]], atol=1e-5)
    assert (mask == 1).all()


def disc(radius: float) -> Mask:
    y, x = np.indices((SIDE, SIDE), np.float32)
    return np.clip((radius - np.hypot(x - 32, y - 32)) / 4 + 0.5, 0, 1).astype(np.float32)


def test_an_edge_that_trembles_is_steadied(tmp_path: Path) -> None:
    masks = [disc(20 + shift) for shift in np.random.default_rng(2).normal(0, 0.4, 30)]
    measures, clip_faces = seen(tmp_path, [120.0] * 30, masks)
    steady = [at(measures, clip_faces, index, smooth_mask=5)[1] for index in range(30)]
    assert np.abs(np.diff(steady, axis=0)).mean() < 0.5 * np.abs(np.diff(masks, axis=0)).mean()


def test_a_hand_that_crosses_the_face_keeps_its_place(tmp_path: Path) -> None:
    masks = [disc(24) for _ in range(20)]
    for index, mask in enumerate(masks):
        mask[:, 3 * index : 3 * index + 8] = 0
    measures, clip_faces = seen(tmp_path, [120.0] * 20, masks)
    for index, mask in enumerate(masks):
        steady = at(measures, clip_faces, index, smooth_mask=5)[1]
        assert ((steady > 0.5) == (mask > 0.5)).mean() > 0.99
        assert np.abs(steady - mask).mean() < 0.01


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twelve frames of noise around grey with a face each; frame 7 is missing a face."""
    rng = np.random.default_rng(5)
    for number in range(1, 13):
        frame = np.clip(rng.normal(127 + rng.normal(0, 4), 30, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
        name = f"{number:05d}.png"
        write_image(tmp_path / "data_dst" / name, frame)
        if number != 7:
            add_face(tmp_path / "data_dst", name, frame, place_face(60 + 0.3 * number, 55, 30), 0)
    return tmp_path / "data_dst"


LOOK = MergeSettings(mask_mode="learned-prd", erode=0, smooth_color=3, smooth_mask=2)


def run(clip: Path, look: MergeSettings = LOOK, only: slice = slice(None)) -> list[Task]:
    clip_faces, shaky = ClipFaces.of(clip, Faceset.open(clip / "aligned")), Shaky()
    measures = ClipMeasures(clip_faces, "m", shaky.face_type, clip / "cache")
    tasks = plan(clip_faces, "m", Keyframes(look))
    record = Record(clip / "merged", clip / "merged_mask")
    merge(record.begin(tasks, "all")[only], Merger(record, shaky, 3, 2, measures))
    return tasks


def files(clip: Path) -> dict[str, bytes]:
    return {str(path.relative_to(clip)): path.read_bytes() for path in sorted(clip.glob("merged*/*.png"))}


def test_a_merge_in_parts_and_of_single_frames_equals_one_at_a_stretch(clip: Path) -> None:
    run(clip)
    whole = files(clip)
    for path in (clip / "merged").glob("*.png"):
        path.unlink()
    run(clip, only=slice(4, 6))
    run(clip)
    assert files(clip) == whole
    (clip / "merged/00003.png").unlink()
    run(clip)
    assert files(clip) == whole


def test_smoothing_changes_the_pixels_and_never_those_beyond_the_masks(clip: Path) -> None:
    run(clip, LOOK.model_copy(update={"smooth_color": 0, "smooth_mask": 0}))
    before = files(clip)
    run(clip)
    assert sum(data != before[name] for name, data in files(clip).items()) > 15
    for path in sorted(clip.glob("*.png")):
        mask = read_image(clip / "merged_mask" / path.name)[..., 0]
        merged, frame = read_image(clip / "merged" / path.name), read_image(path)
        assert (merged[mask == 0] == frame[mask == 0]).all()


def test_the_window_shows_what_a_merge_writes(clip: Path) -> None:
    run(clip)
    previewer = Previewer(ClipFaces.of(clip, Faceset.open(clip / "aligned")), Shaky())
    shown = previewer.show(5, FrameSettings(LOOK, {}))
    assert (shown.result == read_image(clip / "merged/00006.png")).all()


def test_a_frame_is_made_anew_when_a_face_beside_it_moves_and_only_then(clip: Path) -> None:
    clip_faces = ClipFaces.of(clip, Faceset.open(clip / "aligned"))
    moved = [*clip_faces.faces]
    moved[1] = (clip_faces.faces[1][0] + np.float32(0.5),)
    marks = [
        [task.mark for task in plan(c, "m", Keyframes(LOOK))]
        for c in (clip_faces, ClipFaces(clip_faces.frames, tuple(moved)))
    ]
    # Frame 7 has no face, and a track ends there.
    assert [n for n, pair in enumerate(zip(*marks, strict=True)) if pair[0] != pair[1]] == [0, 1, 2, 3, 4]


def test_what_is_measured_once_is_not_asked_of_the_model_again(clip: Path) -> None:
    run(clip)
    clip_faces, shaky = ClipFaces.of(clip, Faceset.open(clip / "aligned")), Shaky()
    assert not ClipMeasures(clip_faces, "m", shaky.face_type, clip / "cache").missing(
        plan(clip_faces, "m", Keyframes(LOOK))
    )
    assert ClipMeasures(clip_faces, "other", shaky.face_type, clip / "cache").missing(
        plan(clip_faces, "m", Keyframes(LOOK))
    )


def test_figures_tell_how_much_less_it_trembles(clip: Path) -> None:
    tasks = run(clip)
    clip_faces = ClipFaces.of(clip, Faceset.open(clip / "aligned"))
    figures = flicker(clip_faces, ClipMeasures(clip_faces, "m", FaceType.WHOLE, clip / "cache"), tasks)
    assert figures is not None
    before, after = figures
    assert after.light < 0.6 * before.light and after.mask < 0.9 * before.mask
    plain = plan(clip_faces, "m", Keyframes(LOOK.model_copy(update={"smooth_color": 0, "smooth_mask": 0})))
    assert flicker(clip_faces, ClipMeasures(clip_faces, "m", FaceType.WHOLE, clip / "cache"), plain) is None


def test_a_smoothed_frame_that_was_not_measured_is_refused(clip: Path) -> None:
    clip_faces, shaky = ClipFaces.of(clip, Faceset.open(clip / "aligned")), Shaky()
    record = Record(clip / "merged", clip / "merged_mask")
    with pytest.raises(ValueError, match="must be measured"):
        merge(record.begin(plan(clip_faces, "m", Keyframes(LOOK))), Merger(record, shaky, 3, 2))
