"""`python -m stages.merge --stream` as a user types it."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.io.files import list_images
from faceswap.media.extract import extract
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.media.probe.video import probe
from faceswap.media.timestamps import Choice
from faceswap.merge.keyframes import Keyframes
from faceswap.merge.session import Clip, Session
from faceswap.merge.settings import MergeSettings
from stages import encode, merge
from tests.stages.test_merge import REPOSITORY, make_model
from tests.toy_merge import add_face, place_face

LOSSLESS = ("--codec", "ffv1", "--device", "cpu")


@pytest.fixture
def job(toy_clip: SimpleNamespace, tmp_path: Path) -> Path:
    return make_clip_job(toy_clip, tmp_path / "job ü 🎬", 6)


def make_clip_job(
    toy_clip: SimpleNamespace, root: Path, frames: int, size: tuple[int, int] = (96, 64)
) -> Path:
    """A clip, its frames (2 has no face), their faces and an untrained model."""
    clip = toy_clip.make(root / "data_dst.mp4", [40 * n for n in range(frames)], size=size, sound="aac")
    return make_job(clip, size)


def make_job(clip: Path, size: tuple[int, int]) -> Path:
    """The frames of a clip (2 has no face), their faces and an untrained model, beside it."""
    root = clip.parent
    for frame in extract([clip], root / "data_dst", Choice()).frames:
        if frame.name != "00002.png":
            blank = np.zeros((*size[::-1], 3), np.uint8)
            add_face(root / "data_dst", frame.name, blank, place_face(size[0] / 2, size[1] / 2, 24), 0)
    make_model(root, "new")
    return root


def typed(stage: object, root: Path, *words: object) -> None:
    """The stage inside this process, which saves its start."""
    stage.main(stage.Settings.parse(["--workspace", str(root), *map(str, words)]))  # type: ignore[attr-defined]


def shown(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        return [(frame.time, bytes(frame.planes[0])) for frame in container.decode(video=0)]


def test_a_session_streams_to_what_merge_and_encode_make_also_without_frame_files(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = list_images(job / "data_dst")
    base = MergeSettings(mask_mode="dst", erode=0)
    session = Session.open(job / "model/new/merge_session.json", Clip.of(frames), base)
    session.change(Keyframes(base).set({"mode": "overlay", "blur": 200}, 2, 3).act(0, "leave", 4, 4))
    typed(merge, job, "--device", "cpu")
    typed(encode, job, *LOSSLESS[:2])
    by_files = [shown(job / "result.mkv"), shown(job / "result_mask.mkv")]
    assert len({pixels for _, pixels in by_files[1]}) > 2, "the masks differ along the clip"
    for path in [*frames, job / "result.mkv", job / "result_mask.mkv"]:
        path.unlink()

    typed(merge, job, "--stream", *LOSSLESS)
    assert [shown(job / "result.mkv"), shown(job / "result_mask.mkv")] == by_files
    told = capsys.readouterr().out
    assert "frame files are gone" in told and "5 frames merged (5 faces), 1 without a face" in told
    assert not list_images(job / "data_dst")


def test_a_stream_is_h264_with_the_clips_sound_and_replays_by_its_settings(job: Path, run_stage) -> None:
    run_stage("merge", "--workspace", job, "--stream", "--device", "cpu", check=True)
    result, mask = probe(job / "result.mp4"), probe(job / "result_mask.mp4")
    assert (result.codec, result.frames, result.audio_codec) == ("h264", 6, "aac")
    assert (mask.codec, mask.frames, mask.audio_codec) == ("h264", 6, None)
    before = shown(job / "result.mp4")
    typed(merge, job, "--config", job / "merge_stream.json")
    assert shown(job / "result.mp4") == before


@pytest.mark.parametrize("codec", ["ffv1", "prores4444", "png"])
def test_a_stream_has_the_clips_own_alpha_as_encode_gives_it(
    toy_clip: SimpleNamespace, tmp_path: Path, codec: str
) -> None:
    plain = toy_clip.make(tmp_path / "plain.mp4", [40 * n for n in range(4)], size=(96, 64))
    (tmp_path / "w").mkdir()
    clip = tmp_path / "w/data_dst.mkv"
    alpha = "format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='if(lt(X,20+8*N),0,200)'"
    command = [ffmpeg_binary(), "-v", "error", "-i", str(plain), "-vf", alpha, "-c:v", "ffv1"]
    subprocess.run([*command, str(clip)], check=True)
    root = make_job(clip, (96, 64))
    typed(merge, root, "--device", "cpu")
    typed(encode, root, "--codec", codec)
    by_files = [rgba(path) for path in results(root)]
    typed(merge, root, "--stream", "--device", "cpu", "--codec", codec)
    assert [rgba(path) for path in results(root)] == by_files
    assert len(set(by_files)) > 1


def results(root: Path) -> list[Path]:
    """The film, or the pictures of the sequence."""
    return sorted(path for path in root.glob("result*/*.png")) or sorted(root.glob("result*.m??"))


def rgba(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return b"".join(frame.to_ndarray(format="rgba64le").tobytes() for frame in container.decode(video=0))


@pytest.mark.parametrize("told", ["stay", "time code"])
def test_a_stream_keeps_the_last_frames_stay_and_the_time_code(
    toy_clip: SimpleNamespace, tmp_path: Path, told: str
) -> None:
    (tmp_path / "w").mkdir()
    clip = tmp_path / "w/data_dst.mov"
    if told == "stay":
        toy_clip.staying(clip)
    else:
        toy_clip.numbered(clip, 6, vcodec="libx264", timecode="01:00:00:24")
    root = make_job(clip, (64, 48))
    typed(merge, root, "--stream", "--device", "cpu")
    for name in ("result.mp4", "result_mask.mp4"):
        film = probe(root / name)
        assert film.end_s == pytest.approx(3.5 if told == "stay" else 0.24, abs=0.001)
        assert film.timecode == ("" if told == "stay" else "01:00:00:24")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--stream", "--interactive"], "no window for a stream"),
        (["--codec", "hevc"], "add --stream"),
        (["--stream", "--alpha"], "cannot carry alpha"),
    ],
)
def test_what_does_not_fit_together_is_refused(job: Path, words: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        typed(merge, job, *words)
    assert not list(job.glob("result*"))


def test_a_missing_clip_or_a_session_of_another_one_is_refused_with_what_to_type(job: Path) -> None:
    session = Session.open(
        job / "model/new/merge_session.json", Clip(("00001", "00009"), "another"), MergeSettings()
    )
    session.save()
    for path in list_images(job / "data_dst"):
        path.unlink()
    with pytest.raises(UserError, match="--session adopt"):
        typed(merge, job, "--stream")
    (job / "data_dst.mp4").unlink()
    with pytest.raises(UserError, match=r"data_dst\.mp4.*--input"):
        typed(merge, job, "--stream")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a child process")
def test_ctrl_c_leaves_no_video_and_says_that_it_starts_over(
    toy_clip: SimpleNamespace, tmp_path: Path
) -> None:
    job = make_clip_job(toy_clip, tmp_path / "job", 300)
    command = [sys.executable, "-m", "stages.merge", "--workspace", str(job), "--stream", "--batch-size", "1"]
    # Shells start background jobs deaf to Ctrl-C, and children inherit it.
    heed = "import signal, runpy, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    heed += "sys.argv = sys.argv[1:]; runpy.run_module('stages.merge', run_name='__main__')"
    command = [sys.executable, "-c", heed, *command[2:]]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        while process.poll() is None and not list(job.glob(".result.*")):
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    assert "starts over" in errors.decode() and "continues" not in errors.decode()
    assert not list(job.glob("result*")) and not list(job.glob(".*"))
