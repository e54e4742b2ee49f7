"""What is read from disk may be damaged or made to harm: it is refused in a sentence, or is what it says."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from faceswap.align.extract import FrameResult
from faceswap.detector.finetune import prepare
from faceswap.detector.finetune import training as finetune
from faceswap.detector.network.files import Card, _About
from faceswap.detector.training import training
from faceswap.errors import UserError
from faceswap.io.documents import MOST_DEEP, DocumentError, fitted, parse, read_json, read_lines, read_text
from faceswap.io.tables import read_table
from faceswap.learn import checkpoint
from faceswap.learn.stored import StoredRun
from faceswap.masks.edit import suggest as assess
from faceswap.masks.edit.suggest import FEATURES
from faceswap.masks.train import data
from faceswap.masks.train import run as train_run
from faceswap.media import denoise
from faceswap.media.cut import read_list
from faceswap.media.probe.geometry import Geometry, Shape
from faceswap.media.probe.timecode import moved_timecode
from faceswap.media.probe.video import Clip
from faceswap.media.timestamps import NAME, Timestamps, read_timestamps
from faceswap.media.timing import find_frames_timing
from faceswap.merge import record
from faceswap.merge.settings import MergeSettings
from faceswap.train.data import cache
from faceswap.train.quality import Figures
from tests.hostile import attacked, documents, texts

DIGEST = "0" * 64
CLIP = Clip(path=Path("a.mp4"), fingerprint="f", width=64, height=48, fps=25.0, frames=3, counted=True,
            duration_s=0.12, codec="h264", timecode="01:00:00:00", timecode_fps=25.0,
            audio_codec="aac", audio_start_s=0.0,
            geometry=Geometry(width=96, height=48, fields="tff", ignored_aspect=(100, 1), shapes=(
                Shape(from_s=0.0, width=64, height=48, sample_aspect=(3, 2)),
                Shape(from_s=0.04, width=32, height=48))))  # fmt: skip
TIMES = {
    "schema": 1, "complete": True, "choice": {"fps": 0.0, "format": "png", "quality": 95},
    "clips": [CLIP.model_dump(mode="json")],
    "frames": [{"name": f"{n:05d}.png", "time_s": n / 25, "clip": 0} for n in range(3)],
}  # fmt: skip
STATE = {
    "schema": 1,
    "iteration": 5,
    "elapsed_s": 1.0,
    "files": {"w.safetensors": {"bytes": 1, "sha256": DIGEST}},
}
RUN = {"iteration": 5, "samples": 20, "elapsed_s": 1.5, "seed": 1, "base": None, "step_factor": 1.0,
       "phase": 0, "phase_since": 0, "pretraining": False, "conditions": {"device": "cpu", "batch_size": 4},
       "spec": {"arch": "DF-UD", "resolution": 64}, "face_type": "whole"}  # fmt: skip
MASKS = {"spec": {"arch": "unet"}, "face_type": "whole", "seed": 1, "base": "scratch", "loss": 0.5,
         "elapsed_s": 2.0, "checks": [{"iteration": 5, "loss": 0.1, "iou": 0.9}]}  # fmt: skip
# What each kind of file holds, and as what it is read.
KINDS: dict[str, tuple[Any, Any]] = {
    "align.jsonl": (FrameResult, {"frame": "1.png", "bytes": 9, "faces": 1, "damaged": ""}),
    "merged.jsonl": (record._Entry, {"frame": "00001", "mark": "x"}),
    "quality.jsonl": (Figures, {"iteration": 5, "psnr": 20.5, "ssim": 0.9, "landmarks": None}),
    "assessed.jsonl": (assess._Line, {"name": "1.jpg", "size": 1, "mtime_ns": 2, "model": "m",
                                      "uncertainty": 0.5, "features": [0.5] * FEATURES}),
    "prepared.jsonl": (prepare.Cut, {"sha256": DIGEST, "how": "h", "files": {"-": ""}, "faceless": 0}),
    "denoise.json": (denoise._State, {"factor": 7.0, "originals": "x", "first": "y"}),
    "cache.json": (cache._Record, {"names": ["1.png"], "skipped": {"2.png": "why"}, "masks": {"hull": 1},
                                   "yaws": [0.5]}),
    "cache.rows.json": (cache._RowsRecord, {"kind": [5, "whole", 64], "faces": {"1.png": ["s", "hull"]}}),
    "samples.json": (data._Record, {"size_px": 64, "crop_px": 48, "tags": [["a", "b", "c"]]}),
    "state.json": (checkpoint._State, STATE),
    "state of a model": (StoredRun, RUN),
    "state of a mask model": (train_run._Stored, MASKS),
    "state of a detector": (training._Stored, {"recipe": {"a": 1}, "seed": 1, "seconds": 2.0, "best": None}),
    "state of a tuning": (finetune._Stored, {"same": {"a": 1}, "seconds": 1.0, "losses": [0.5],
                                             "evaluations": [[1, 0.5, None, 0.5, 0.5, 1.0]]}),
    "card": (Card, {"temperature": 1.0, "thresholds": {"0.05": 0.5}, "seen": [DIGEST]}),
    "files of a card": (_About, {"schema": 1, "files": {"config.json": DIGEST}}),
    "look": (MergeSettings, MergeSettings().model_dump(mode="json")),
    "polygons.json": (dict[str, list[dict[str, Any]]], {"1.jpg": [{"kind": "include", "points": [[1, 2]]}]}),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_hostile_document_is_refused_with_its_place_or_is_one(name: str) -> None:
    kind, valid = KINDS[name]

    @attacked(documents(valid))
    def read(hostile: bytes) -> None:
        try:
            value = fitted(parse(hostile), kind)
        except DocumentError as error:
            assert 0 < len(str(error)) < 500
        else:
            assert value is not None

    fitted(parse(json.dumps(valid).encode()), kind)
    read()


@attacked(st.binary(max_size=40))
def test_any_bytes_are_a_document_or_a_document_error(hostile: bytes) -> None:
    try:
        value = parse(hostile)
    except DocumentError:
        return
    json.dumps(value, allow_nan=False).encode()


@attacked(documents(TIMES))
def test_hostile_timestamps_are_refused_by_name_or_give_times(tmp_path: Path, hostile: bytes) -> None:
    (tmp_path / "1.png").touch()
    (tmp_path / NAME).write_bytes(hostile)
    try:
        timing = find_frames_timing(tmp_path, None, None)
    except UserError:
        return
    times = [time_s for _, time_s in timing.frames]
    assert times == sorted(times)
    assert 0 < timing.fps <= 1e6
    if timing.clip is not None:
        assert len(timing.clip.color.code_points) == 2
        moved_timecode(timing.clip.timecode or "00:00:00:00", 1.0, timing.clip.timecode_fps or 25.0)


def test_timestamps_as_they_are_written_are_read(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(json.dumps(TIMES))
    assert read_timestamps(tmp_path) == Timestamps.model_validate(TIMES)


@attacked(texts("0:10 0:12.5 # first\n62.5, 70\n00:01:02.500;00:01:03\n"))
def test_a_hostile_cut_list_is_refused_or_names_parts(tmp_path: Path, hostile: bytes) -> None:
    (tmp_path / "cuts.txt").write_bytes(hostile)
    try:
        parts = read_list(tmp_path / "cuts.txt")
    except UserError:
        return
    assert all(0 <= part.start_s < (part.end_s or 1e8) for part in parts)


@attacked(texts("file,identity,video\nReal/a.png,ann,1\nFake/b.png,bob,2\n"))
def test_a_hostile_table_is_refused_or_has_all_its_cells(tmp_path: Path, hostile: bytes) -> None:
    (tmp_path / "groups.csv").write_bytes(hostile)
    try:
        columns, rows = read_table(tmp_path / "groups.csv", "hint")
    except UserError:
        return
    assert all(set(row) == set(columns) for _, row in rows)


def test_bad_lines_are_counted_and_told_and_the_others_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        '{"iteration": 1, "psnr": 1, "ssim": 1}',
        "{",
        '{"iteration": -1, "psnr": 1, "ssim": 1}',
        '{"itera',
    ]
    (tmp_path / "quality.jsonl").write_text("\n".join(lines))
    assert [one.iteration for one in read_lines(tmp_path / "quality.jsonl", Figures)] == [1]
    told = capsys.readouterr().err
    assert "2 damaged lines are passed over, the first is line 2" in told


def test_nesting_is_bounded_and_what_editors_add_is_not_in_the_way(tmp_path: Path) -> None:
    parse(b"[" * MOST_DEEP + b"]" * MOST_DEEP)
    with pytest.raises(DocumentError, match="deep"):
        parse(b"[" * (MOST_DEEP + 1) + b"]" * (MOST_DEEP + 1))
    (tmp_path / "x.json").write_bytes(b"\xef\xbb\xbf{}")
    assert read_json(tmp_path / "x.json") == {}
    assert read_text(tmp_path / "x.json", "") == "{}"


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_file_is_not_read_as_one(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "x.json")
    with pytest.raises(UserError, match=r"x\.json is"):
        read_json(tmp_path / "x.json")
