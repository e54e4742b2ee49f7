"""A finished clip beside its untouched frames, encoded alike."""

from pathlib import Path

import numpy as np
import pytest

from faceswap.detector.selftest.clip import USUAL_QUALITY, nearest, open_clip, says_of_itself
from faceswap.errors import UserError
from faceswap.io.images import read_image, write_image
from faceswap.media.probe.video import probe
from faceswap.types import Side
from faceswap.workspace import Workspace
from tests.detector.toy_workspace import FPS, GREEN, encode_folder, toy_workspace

FRAMES_N = 6


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """Its sides are odd, and an untouched clip of another name tells the rate."""
    made = toy_workspace(tmp_path / "work", FRAMES_N, side_px=127)
    encode_folder(made.merged, made.result, quality=23)
    return made


def test_the_clip_says_its_quality_and_that_it_is_synthetic(place: Workspace) -> None:
    assert says_of_itself(place.result) == (23, True)
    encode_folder(place.merged, place.root / "other.mp4", quality=30, note="home video")
    assert says_of_itself(place.root / "other.mp4") == (30, False)


def test_a_clip_in_which_nothing_was_swapped_equals_the_untouched_frames(place: Workspace) -> None:
    # The untouched frames went through the same encoder at the same quality, so not a bit may differ.
    encode_folder(place.frames(Side.DST), place.root / "null.mp4", quality=23)
    pairs = [pair for seen in open_clip(place, place.root / "null.mp4").seen() for pair in seen.pairs]
    assert len(pairs) == FRAMES_N
    assert all(np.array_equal(pair.real, pair.fake) for pair in pairs)


def test_a_swap_is_found_at_its_place_in_its_frame(place: Workspace) -> None:
    seen = list(open_clip(place, place.result).seen())
    assert [one.frame for one in seen] == [f"{number:05d}" for number in range(1, FRAMES_N + 1)]
    for one in seen:
        (pair,) = one.pairs
        inside = pair.mask > 0.99
        assert np.median(pair.fake[inside], axis=0).tolist() == pytest.approx(GREEN, abs=12)
        assert np.abs(np.median(pair.real[inside], axis=0) - GREEN).max() > 40


def test_every_second_frame_is_the_same_as_in_the_whole(place: Workspace) -> None:
    comparison = open_clip(place, place.result)
    whole, half = list(comparison.seen()), list(comparison.seen(every=2))
    assert comparison.count(every=2) == (3, 3)
    assert [one.frame for one in half] == [one.frame for one in whole[::2]]
    for one, other in zip(half, whole[::2], strict=True):
        assert np.array_equal(one.pairs[0].fake, other.pairs[0].fake)
        assert np.array_equal(one.pairs[0].real, other.pairs[0].real)


def test_a_shorter_clip_is_matched_by_time(place: Workspace) -> None:
    for name in ("00005", "00006"):
        (place.merged / f"{name}.png").unlink()
    encode_folder(place.merged, place.root / "short.mp4", quality=23)
    comparison = open_clip(place, place.root / "short.mp4")
    assert [one.frame for one in comparison.seen()] == ["00001", "00002", "00003", "00004"]
    assert (comparison.describe()["finished"], comparison.describe()["untouched"]) == (4, FRAMES_N)


def test_a_damaged_untouched_frame_is_passed_over_and_the_others_stay_matched(place: Workspace) -> None:
    before = {one.frame: one.pairs[0].fake for one in open_clip(place, place.result).seen()}
    whole = (place.frames(Side.DST) / "00003.png").read_bytes()
    (place.frames(Side.DST) / "00003.png").write_bytes(whole[:200])
    seen = list(open_clip(place, place.result).seen())
    assert [one.frame for one in seen if one.damage] == ["00003"]
    for one in seen:
        for pair in one.pairs:
            assert np.array_equal(pair.fake, before[one.frame])
            outside = pair.mask == 0
            assert np.abs(pair.real[outside].astype(int) - pair.fake[outside]).mean() < 6


def test_a_clip_of_another_size_is_refused(place: Workspace) -> None:
    for path in place.merged.glob("*.png"):
        write_image(path, read_image(path)[:100, :100])
    encode_folder(place.merged, place.root / "small.mp4")
    with pytest.raises(UserError, match="another size"):
        open_clip(place, place.root / "small.mp4")


def test_what_is_no_clip_is_refused(place: Workspace) -> None:
    (place.root / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match="no video"):
        open_clip(place, place.root / "text.mp4")
    with pytest.raises(UserError, match="no clip"):
        open_clip(place, place.root / "absent.mp4")


def test_where_the_quality_is_unknown_the_usual_one_is_taken_and_told(
    place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    # x264's note is the only place where its words stand; without it, this is another encoder's clip.
    data = place.result.read_bytes().replace(b"x264 - core", b"unknown    ")
    (place.root / "strange.mp4").write_bytes(data)
    told = open_clip(place, place.root / "strange.mp4").describe()
    assert (told["quality"], told["encoded_with"]) == (None, USUAL_QUALITY)
    assert "does not say how it was encoded" in capsys.readouterr().err


def test_each_time_gets_the_nearest_frame_within_the_tolerance() -> None:
    frames = [(time_s, np.full((1, 1, 3), index, np.uint8)) for index, time_s in enumerate((0.0, 0.1, 0.21))]
    found = {index: int(frame[0, 0, 0]) for index, frame in nearest(iter(frames), [0.02, 0.17, 0.5], 0.05)}
    # 0.02 is nearest to 0.0, 0.17 to 0.21, and nothing is near 0.5.
    assert found == {0: 0, 1: 2}


def test_a_clip_shown_twice_as_often_gives_each_frame_once_and_in_its_place(place: Workspace) -> None:
    encode_folder(place.frames(Side.DST), place.clip_stem(Side.DST).with_suffix(".mp4"))
    once = list(open_clip(place, place.result).seen())
    doubled = place.root / "doubled"
    for number, path in enumerate(sorted(place.merged.glob("*.png"))):
        for repeat in (0, 1):
            write_image(doubled / f"{2 * number + repeat:05d}.png", read_image(path))
    encode_folder(doubled, place.root / "fast.mp4", quality=23, fps=2 * FPS)
    assert probe(place.root / "fast.mp4").frames == 2 * FRAMES_N
    seen = list(open_clip(place, place.root / "fast.mp4").seen())
    assert [one.frame for one in seen] == [one.frame for one in once]
    apart = [
        [np.abs(one.pairs[0].fake.astype(int) - other.pairs[0].fake).mean() for other in once] for one in seen
    ]
    assert np.argmin(apart, axis=1).tolist() == list(range(FRAMES_N))
