"""Which clips a side has, how many frames they will give, and how those frames are named."""

from collections.abc import Sequence
from pathlib import Path

from faceswap.console import warn
from faceswap.errors import UserError
from faceswap.io.timestamps import Choice
from faceswap.io.video import Clip

VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".wmv", ".flv",
    ".mxf", ".3gp", ".ogv", ".y4m", ".nut", ".vob", ".gif",
)  # fmt: skip
# Frames differ from the few that are measured; a forecast should rather be too high.
MARGIN = 1.15


def find_clips(stem: Path, given: Path | None) -> list[Path]:
    """The clips of one side: `given` (a file or folder), else every `stem`.*, else the folder `stem`_clips.

    Raises UserError where there is none, saying where to put one.
    """
    if given is not None:
        # Absolute, because encode looks for its sound there later, perhaps started elsewhere.
        return _videos_in(given.resolve()) if given.is_dir() else [given.resolve()]
    named = sorted(stem.parent.glob(f"{stem.name}.*"))
    beside = [path for path in named if path.is_file()]
    folder = stem.parent / f"{stem.name}_clips"
    if beside or folder.is_dir():
        return beside or _videos_in(folder)
    raise UserError(
        f"no clip {stem}.*",
        f"{named[0]} is a folder" if named else "" if stem.parent.is_dir() else f"no folder {stem.parent}",
        f"copy one to {stem}.mp4, several to {folder}, or name a file or folder with --input",
    )


def _videos_in(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
    others = [path.name for path in files if path not in videos]
    if not videos:
        raise UserError(
            f"no video in the folder {folder}", ", ".join(others[:8]) or "it is empty", "copy one in"
        )
    if others:
        warn(f"not a video, left out: {', '.join(others)}")
    return videos


def frame_names(clips: Sequence[Clip], choice: Choice) -> list[str]:
    """For each clip the pattern of its frames' names: 00001.png for one clip, STEM_00001.png for several.

    Stems that would meet, also on disks that do not tell upper from lower case, carry the suffix or a number.
    """
    stems = _distinct([clip.path.name for clip in clips])
    names = []
    for clip, stem in zip(clips, stems, strict=True):
        digits = max(5, len(str(int(expected_frames(clip, choice.fps) * MARGIN))))
        start = f"{stem.replace('{', '{{').replace('}', '}}')}_" if len(clips) > 1 else ""
        names.append(f"{start}{{:0{digits}d}}.{choice.format}")
    return names


def _distinct(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    plain = [Path(name).stem.casefold() for name in names]
    for name in names:
        stem = Path(name).stem
        if plain.count(stem.casefold()) > 1:
            stem = f"{stem}-{Path(name).suffix[1:]}"
        numbered, number = stem, 2
        while numbered.casefold() in (other.casefold() for other in found):
            numbered, number = f"{stem}-{number}", number + 1
        found.append(numbered)
    return found


def expected_frames(clip: Clip, fps: float) -> int:
    """How many frames a clip gives when at most `fps` a second are taken (0 = all)."""
    return clip.frames if fps == 0 else max(1, min(clip.frames, round(clip.duration_s * fps)))
