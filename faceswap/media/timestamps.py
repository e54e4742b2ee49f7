"""timestamps.json: which frames a folder holds, of which clips, at which times, made how."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from faceswap.errors import UserError
from faceswap.io.documents import (
    MOST_BYTES_OF_A_SET,
    DocumentError,
    FileName,
    Finite,
    Record,
    fitted,
    read_json,
)
from faceswap.io.files import write_json
from faceswap.media.probe.timecode import is_timecode
from faceswap.media.probe.video import Clip

NAME = "timestamps.json"
# No clip is as long, wide or fast: what says so is damaged.
_MOST_S, _MOST_PX, _MOST_FPS = 1e10, 65536, 1e6
# How ffmpeg spells what it calls by name.
_WORD = re.compile(r"[A-Za-z0-9_.-]{0,40}")
_HINT = "extract again with --again"


class Choice(Record):
    """What decides about the frames besides the clips; fps 0 means every frame, quality counts for jpg.

    tone_map: PQ and HLG are made SDR.  deinterlace: see `survey.surveyed`; the clips tell what was done.
    """

    fps: Annotated[float, Field(ge=0, le=_MOST_FPS)] = 0.0
    format: Literal["png", "jpg"] = "png"
    quality: Annotated[int, Field(ge=1, le=100)] = 95
    tone_map: bool = False
    deinterlace: Literal["auto", "on", "off"] = "auto"


class FrameTime(Record):
    """One frame: its file name, its time from the clip's start, and its clip as an index into `clips`."""

    name: FileName
    time_s: Finite
    clip: Annotated[int, Field(ge=0, le=10**6)] = 0


class Timestamps(Record):
    """The record of one set of frames; `complete` is False while they are being extracted."""

    schema_number: int = 1
    complete: bool = False
    choice: Choice
    clips: tuple[Clip, ...]
    frames: tuple[FrameTime, ...] = ()

    def differences(self, other: "Timestamps") -> list[str]:
        """In words, what would make other frames than these; empty for the same set."""
        lines = [
            f"{name} {getattr(self.choice, name)} instead of {getattr(other.choice, name)}"
            for name in ("fps", "format", "tone_map", *(["quality"] if other.choice.format == "jpg" else []))
            if getattr(self.choice, name) != getattr(other.choice, name)
        ]
        if [c.fingerprint for c in self.clips] != [c.fingerprint for c in other.clips]:
            ours, theirs = (", ".join(c.path.name for c in one.clips) for one in (self, other))
            lines.append(f"from {ours} instead of {theirs}" if ours != theirs else f"{ours} was another file")
        elif [c.stream for c in self.clips] != [c.stream for c in other.clips]:
            ours, theirs = (", ".join(str(c.stream) for c in one.clips) for one in (self, other))
            lines.append(f"video stream {ours} instead of {theirs}")
        else:
            pairs = zip(self.clips, other.clips, strict=True)
            lines += [
                f"{ours.path.name} {_made(ours)} instead of {_made(theirs)}"
                for ours, theirs in pairs
                if ours.geometry.makes_other_frames(theirs.geometry)
            ]
        return lines


def _made(clip: Clip) -> str:
    return " and ".join(clip.geometry.words) or "as its pictures are stored"


def write_timestamps(folder: Path, record: Timestamps) -> None:
    """Write `folder`/timestamps.json atomically."""
    content = record.model_dump(mode="json")
    write_json(folder / NAME, {"schema": content.pop("schema_number"), **content})


def read_timestamps(folder: Path) -> Timestamps | None:
    """The record in `folder`, or None without one; UserError when it is damaged or of a later schema."""
    path = folder / NAME
    if not path.exists():
        return None
    content = read_json(path, MOST_BYTES_OF_A_SET, _HINT)
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != 1:
        raise UserError(f"{path} has schema {schema!r}; this version reads 1", "", "update, or extract again")
    try:
        record = fitted(content, Timestamps)
        if wrong := _wrong(record):
            raise DocumentError(wrong)
    except DocumentError as error:
        raise UserError(f"{path} is damaged", str(error), _HINT) from None
    return record


def _wrong(record: Timestamps) -> str:
    """What no record of frames says, though each value alone could be; "" for a sound one."""
    if not record.clips or (record.complete and not record.frames):
        return "it names no clip or no frame"
    for number, clip in enumerate(record.clips):
        if wrong := _impossible(clip):
            return f"clips.{number}: {wrong} cannot be"
    if any(frame.clip >= len(record.clips) for frame in record.frames):
        return "a frame is of a clip that is not there"
    for before, frame in pairwise(record.frames):
        if before.clip == frame.clip and before.time_s > frame.time_s:
            return f"{frame.name} is shown before the frame before it"
    return ""


def _impossible(clip: Clip) -> str:
    """The first fact that no clip has; a clip itself may say odd things, but not of what is read here."""
    ranges = {
        "width": (1, _MOST_PX), "height": (1, _MOST_PX), "fps": (1e-6, _MOST_FPS), "frames": (0, 10**9),
        "duration_s": (0, _MOST_S), "start_s": (-_MOST_S, _MOST_S), "stream": (0, 10**4),
        "bit_depth": (1, 64), "rotation_deg": (-360, 360), "origin_s": (-1e12, 1e12), "end_s": (0, _MOST_S),
        "timecode_fps": (0, _MOST_FPS),
    }  # fmt: skip
    words = {"codec": clip.codec, "audio_codec": clip.audio_codec or ""} | clip.color.model_dump()
    wrong = [
        f"{name} {getattr(clip, name):g}"
        for name, (least, most) in ranges.items()
        if not least <= getattr(clip, name) <= most
    ]
    wrong += [f"{name} {str(word)[:40]!r}" for name, word in words.items() if not _WORD.fullmatch(str(word))]
    wrong += [f"sample_aspect {clip.sample_aspect}"] if min(clip.sample_aspect) < 1 else []
    if clip.audio_start_s is not None and abs(clip.audio_start_s) > _MOST_S:
        wrong.append(f"audio_start_s {clip.audio_start_s:g}")
    if clip.timecode and not is_timecode(clip.timecode):
        wrong.append(f"timecode {clip.timecode[:40]!r}")
    try:
        _ = clip.color.code_points
    except (StopIteration, RuntimeError, KeyError):
        wrong.append(f"colour {clip.color.primaries} {clip.color.transfer}")
    return wrong[0] if wrong else ""
