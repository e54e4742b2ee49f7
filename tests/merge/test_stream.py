"""A stream from clip to film: the same film as by way of frame files, and none where it breaks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.faceset.store import Faceset
from faceswap.io.files import list_images
from faceswap.media.codecs import Film
from faceswap.media.encode import MASK_NOTE, NOTE, Pictures, encode
from faceswap.media.encoders import choose_film
from faceswap.media.extract import extract
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.media.timestamps import Choice, read_timestamps, write_timestamps
from faceswap.media.timing import find_timing
from faceswap.merge.keyframes import Keyframes
from faceswap.merge.masks import Prediction
from faceswap.merge.plan import ClipFaces, plan
from faceswap.merge.record import Record
from faceswap.merge.run import Merger, Summary, merge
from faceswap.merge.settings import MergeSettings
from faceswap.merge.stream import Films, find_source, stream
from faceswap.types import Image
from faceswap.workspace import Workspace
from tests.toy_merge import Paint, add_face, place_face

LOOK = MergeSettings(mask_mode="learned-prd", erode=0, color_transfer="none")
SIZE = (128, 96)
TIMES_MS = (80, 113, 130, 280, 313, 580, 590, 623, 700, 740)
HDR = {"x264-params": "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:fullrange=on"}


def shades(number: int, width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    planes = [0.2 + 0.6 * x / width, 0.2 + 0.6 * y / height, np.full(x.shape, 0.3 + 0.04 * number)]
    return np.rint(np.stack(planes, -1) * 65535).astype(np.uint16)


@pytest.fixture
def place(request: pytest.FixtureRequest, toy_clip: SimpleNamespace, tmp_path: Path) -> Workspace:
    """A clip of ten frames, of 10 bits where the parameter is True: 3 and 7 to 9 have no face, 5 has two."""
    deep = getattr(request, "param", False)
    facts = {"pix_fmt": "yuv420p10le", "pixels": "rgb48le", "draw": shades, "options": HDR} if deep else {}
    place = Workspace(tmp_path / "w")
    clip = toy_clip.make(place.root / "data_dst.mkv", TIMES_MS, size=SIZE, sound="aac", **facts)
    folder = tmp_path / "w/data_dst"
    for number, frame in enumerate(extract([clip], folder, Choice()).frames, 1):
        centers = [] if number in (3, 7, 8, 9) else [40, 90] if number == 5 else [50]
        for index, x in enumerate(centers):
            add_face(folder, frame.name, np.zeros((*SIZE[::-1], 3), np.uint8), place_face(x, 45, 20), index)
    return place


def film_of(codec: str, deep: bool = False, alpha: bool = False) -> Film:
    return choose_film(codec, ffmpeg_binary(), bits="auto", deep=deep, alpha=alpha)


def by_files(place: Workspace, film: Film, suffix: str) -> list[Path]:
    """Frames merged to files, and these encoded."""
    folder, paint = place.root / "data_dst", Paint()
    tasks = plan(ClipFaces.of(folder, Faceset.open(folder / "aligned")), "m", Keyframes(LOOK))
    record = Record(place.merged, place.merged_mask)
    merge(record.begin(tasks), Merger(record, paint, 3, 2))
    frames, masks = list_images(place.merged), list_images(place.merged_mask)
    timing = find_timing(place, None, None)
    targets = [place.root / f"files{suffix}", place.root / f"files_mask{suffix}"]
    pictures = Pictures(frames, masks if film.alpha else ())
    encode(targets[0], pictures, timing, film, sound=True, note=NOTE)
    if film.alpha:
        return targets[:1]
    encode(targets[1], Pictures(masks), timing, film, sound=False, note=MASK_NOTE)
    return targets


def by_stream(place: Workspace, film: Film, suffix: str, paint: Paint | None = None) -> Summary:
    """The films result and result_mask."""
    source = find_source(place, None)
    folder = place.root / "data_dst"
    clip_faces = ClipFaces.of_frames(source.paths(folder), Faceset.open(folder / "aligned"))
    mask = None if film.alpha else place.root / f"result_mask{suffix}"
    films = Films(film, place.root / f"result{suffix}", mask, sound=True)
    return stream(source, plan(clip_faces, "m", Keyframes(LOOK)), paint or Paint(), 3, 2, films)


def facts(path: Path) -> dict[str, Any]:
    """Pixels, times and tags of every frame, the packets of the sound, and what the file says."""
    with av.open(str(path)) as container:
        (video, *sound), said = container.streams, {k.lower(): v for k, v in container.metadata.items()}
        pictures = [
            (frame.time, frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range,
             frame.format.name, *(bytes(plane) for plane in frame.planes))
            for frame in container.decode(video)
        ]  # fmt: skip
    with av.open(str(path)) as container:
        packets = [(p.pts, bytes(p)) for p in container.demux(audio=0) if p.size] if sound else []
    return {"pictures": pictures, "sound": packets, "comment": said["comment"]}


@pytest.mark.parametrize(
    ("place", "codec", "alpha"),
    [(False, "ffv1", False), (True, "ffv1", True), (False, "h264-rgb", False), (True, "h264", False)],
    indirect=["place"],
)
def test_the_films_are_those_of_merging_to_files_and_encoding_them(
    place: Workspace, codec: str, alpha: bool
) -> None:
    film = film_of(codec, find_source(place, None).is_deep, alpha)
    suffix = film.codec.suffix
    summary = by_stream(place, film, suffix)
    assert (summary.merged, summary.without_face, summary.faces) == (6, 4, 7)
    for path in by_files(place, film, suffix):
        straight, files = facts(path.with_name(path.name.replace("files", "result"))), facts(path)
        assert straight == files
        assert len(straight["pictures"]) == 10 and bool(straight["sound"]) == ("mask" not in path.name)
    assert (place.root / f"result_mask{suffix}").exists() == (not alpha)


def test_a_folder_of_pictures_comes_out_as_by_files(place: Workspace) -> None:
    film = film_of("png")
    by_stream(place, film, "")
    for folder in by_files(place, film, ""):
        straight = folder.with_name(folder.name.replace("files", "result"))
        names = sorted(path.name for path in folder.iterdir())
        assert names == sorted(path.name for path in straight.iterdir())
        assert all((folder / name).read_bytes() == (straight / name).read_bytes() for name in names)


def test_frame_files_and_their_times_may_be_gone(place: Workspace) -> None:
    film = film_of("ffv1")
    (files, _) = by_files(place, film, ".mkv")
    for path in (place.root / "data_dst").glob("*.*"):
        path.unlink()
    by_stream(place, film, ".mkv")
    assert facts(place.root / "result.mkv") == facts(files)
    assert not list_images(place.root / "data_dst")


class Broken(Paint):
    """Fails at its second batch."""

    def __call__(self, crops: Sequence[Image], _morphs: Sequence[float] = ()) -> list[Prediction]:
        if self.batches:
            raise KeyboardInterrupt
        return super().__call__(crops)


def test_a_stream_that_is_stopped_leaves_the_older_films_and_nothing_else(place: Workspace) -> None:
    (place.root / "result.mkv").write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt):
        by_stream(place, film_of("ffv1"), ".mkv", Broken())
    assert {path.name for path in place.root.iterdir()} == {"data_dst", "data_dst.mkv", "result.mkv"}
    assert (place.root / "result.mkv").read_bytes() == b"older"


def test_an_encoder_that_fails_ends_the_stream_with_its_own_words(place: Workspace) -> None:
    film = film_of("ffv1")
    with pytest.raises(UserError, match="could not write"):
        by_stream(place, replace(film, coder=replace(film.coder, name="no_such_encoder")), ".mkv")
    assert {path.name for path in place.root.iterdir()} == {"data_dst", "data_dst.mkv"}


@pytest.mark.parametrize("more", [False, True])
def test_another_number_of_frames_than_the_faces_were_found_in_is_told(place: Workspace, more: bool) -> None:
    folder = place.root / "data_dst"
    record = read_timestamps(folder)
    assert record is not None
    extra = record.frames[-1].model_copy(update={"name": "00011.png", "time_s": 0.9})
    changed = (*record.frames, extra) if more else record.frames[:-1]
    write_timestamps(folder, record.model_copy(update={"frames": changed}))
    with pytest.raises(UserError, match=f"10 frames instead of {11 if more else 9}"):
        by_stream(place, film_of("ffv1"), ".mkv")
    assert not list(place.root.glob("result*")) and not list(place.root.glob(".*"))


def test_another_clip_in_its_place_is_told_and_its_own_times_are_taken(
    place: Workspace, toy_clip: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    toy_clip.make(place.root / "data_dst.mkv", (0, 40, 80), size=SIZE)
    source = find_source(place, None)
    assert source.timing.frames == (("00001", 0.0), ("00002", 0.04), ("00003", 0.08))
    assert "not the clip" in capsys.readouterr().err


def test_several_clips_or_none_are_refused_with_what_to_type(
    place: Workspace, toy_clip: SimpleNamespace
) -> None:
    clip = place.root / "data_dst.mkv"
    clip.rename(place.root / "other.mkv")
    with pytest.raises(UserError, match="--input"):
        find_source(place, None)
    assert len(find_source(place, place.root / "other.mkv").timing.frames) == 10
    for name in ("data_dst.mp4", "data_dst.mov"):
        toy_clip.make(place.root / name, (0, 40))
    with pytest.raises(UserError, match="one clip"):
        find_source(place, None)
