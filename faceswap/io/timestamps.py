"""timestamps.json: which frames a folder holds, of which clips, at which times, made how."""

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from faceswap.errors import UserError
from faceswap.io.files import read_json, write_json
from faceswap.io.record import Record
from faceswap.io.video import Clip

NAME = "timestamps.json"


class Choice(Record):
    """What decides about the frames besides the clips; fps 0 means every frame, quality counts for jpg.

    tone_map: PQ and HLG are made SDR.
    """

    fps: float = 0.0
    format: Literal["png", "jpg"] = "png"
    quality: int = 95
    tone_map: bool = False


class FrameTime(Record):
    """One frame: its file name, its time from the clip's start, and its clip as an index into `clips`."""

    name: str
    time_s: float
    clip: int = 0


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
        return lines


def write_timestamps(folder: Path, record: Timestamps) -> None:
    """Write `folder`/timestamps.json atomically."""
    content = record.model_dump(mode="json")
    write_json(folder / NAME, {"schema": content.pop("schema_number"), **content})


def read_timestamps(folder: Path) -> Timestamps | None:
    """The record in `folder`, or None without one; UserError when it is damaged or of a later schema."""
    path = folder / NAME
    if not path.exists():
        return None
    content = read_json(path)
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != 1:
        raise UserError(f"{path} has schema {schema!r}; this version reads 1", "", "update, or extract again")
    try:
        return Timestamps.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path} is damaged", f"{where}: {first['msg']}", "extract again with --again"
        ) from None
