"""Which clips or photographs a side has, how many frames they give, and how those frames are named."""

import filecmp
import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import av.error

from faceswap.console import command, progress, say, warn
from faceswap.errors import UserError
from faceswap.io.files import IMAGE_SUFFIXES, atomic_path, list_images, require_free_space
from faceswap.io.leftout import left_out, say_left_out
from faceswap.media.probe.video import Clip, probe
from faceswap.media.timestamps import Choice
from faceswap.types import Side
from faceswap.workspace import Workspace

VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".wmv", ".flv",
    ".mxf", ".3gp", ".ogv", ".y4m", ".nut", ".vob", ".gif", ".m2v", ".m2p", ".asf", ".divx", ".dv", ".f4v",
    ".3g2", ".qt", ".mp4v", ".mod", ".tod", ".insv", ".rm", ".rmvb", ".ogm", ".ivf",
    ".h264", ".h265", ".hevc",
)  # fmt: skip
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp", ".opdownload", ".!qb", ".aria2")
# Frames differ from the few that are measured; a forecast should rather be too high.
MARGIN = 1.15


def find_clips(stem: Path, given: Path | None) -> list[Path]:
    """The clips of one side: `given` (file or folder), else the videos `stem`.*, else those in `stem`_clips.

    Upper and lower case are one; files beside that are no videos are passed over with a word.
    Raises UserError where there is none, saying where to put one.
    """
    if given is not None:
        # Absolute, because encode looks for its sound there later, perhaps started elsewhere.
        return _videos_in(given.resolve()) if given.is_dir() else [given.resolve()]
    beside, others = clips_beside(stem)
    if others and beside:
        warn(f"not a video, passed over: {', '.join(path.name for path in others)}")
    folder = stem.parent / f"{stem.name}_clips"
    if beside or folder.is_dir():
        return beside or _videos_in(folder)
    folders = [path.name for path in _named(stem) if path.is_dir()]
    found = [f"{name} is a folder" for name in folders] + [f"{path.name} is no video" for path in others]
    raise UserError(
        f"no clip {stem}.*",
        "; ".join(found) if stem.parent.is_dir() else f"no folder {stem.parent}",
        f"copy one to {stem}.mp4, several to {folder}, or name a file or folder with --input",
    )


def clips_beside(stem: Path) -> tuple[list[Path], list[Path]]:
    """The videos `stem`.*, and the other files of that name; any case of letters.

    A file of another suffix is a video only where none has a known one, it was not left by a download, and
    ffmpeg shows more than one picture of it.
    """
    files = [path for path in _named(stem) if path.is_file()]
    videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
    videos = videos or [path for path in files if is_video(path)]
    return videos, [path for path in files if path not in videos]


def _named(stem: Path) -> list[Path]:
    start = f"{stem.name}.".casefold()
    there = stem.parent.iterdir() if stem.parent.is_dir() else ()
    return sorted(path for path in there if path.name.casefold().startswith(start))


def is_video(path: Path) -> bool:
    """Whether a file is a video by its suffix, or holds one and was not left by a download."""
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES or suffix in _UNFINISHED:
        return suffix in VIDEO_SUFFIXES
    try:
        return probe(path).frames > 1
    except (UserError, OSError, av.error.FFmpegError):
        return False


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


def new_photographs(source: Path, folder: Path) -> list[tuple[Path, Path]]:
    """The picture `source`, or those right in that folder, which `folder` has not, each with its new place.

    Of pictures that differ by their suffix alone, which would give faces of one name, the second becomes
    NAME-SUFFIX. Raises UserError where there are none, or another has such a name; makes nothing.
    """
    pictures = list_images(source) if source.is_dir() else [source]
    if not pictures:
        hint = "name a clip or a folder of photographs; several clips belong in data_src_clips"
        raise UserError(f"no pictures in {source}", f"found {left_out(source) or 'nothing'}", hint)
    targets = _targets(pictures, folder)
    new = [(path, target) for path, target in zip(pictures, targets, strict=True) if not target.exists()]
    for path, target in zip(pictures, targets, strict=True):
        if target.exists() and not filecmp.cmp(path, target):
            raise UserError(f"{folder} already has another {target.name}", "", f"move it away to use {path}")
    return new


def bring_photographs(source: Path, folder: Path) -> None:
    """Copy `new_photographs` to `folder`; what is there is left alone."""
    new = new_photographs(source, folder)
    require_free_space(folder, sum(path.stat().st_size for path, _ in new), f"copying to {folder}")
    for path, target in progress(new, f"copy {source.name}", "pictures", len(new), after_s=2):
        with atomic_path(target) as temporary:
            # With its time, by which the next run knows it without reading it.
            shutil.copy2(path, temporary)
    if new:
        say(f"{len(new)} pictures copied to {folder}")
    if not source.is_dir():
        return
    say_left_out(source)
    if below := sum(path.is_dir() for path in source.iterdir()):
        say(f"{below} folders in {source} were not looked into")


def _targets(pictures: Sequence[Path], folder: Path) -> list[Path]:
    """Where each picture goes; no two with one stem, also on disks that do not tell upper from lower case."""
    taken = {path.stem.casefold(): path.name for path in list_images(folder)}
    targets = []
    for path in pictures:
        stem = path.stem
        if taken.get(stem.casefold(), path.name) != path.name:
            stem = f"{stem}-{path.suffix[1:]}"
        taken[stem.casefold()] = stem + path.suffix
        targets.append(folder / (stem + path.suffix))
    return targets


def refuse_stills(place: Workspace, side: Side, given: Path | None) -> None:
    """Raise UserError where there are pictures and no clip to extract them from, saying where they belong."""
    frames, stem = place.frames(side), place.clip_stem(side)
    align = f"type: {command(f'stages.align_{side}', '--workspace', place.root)}"
    if given is None and clips_beside(stem)[0]:
        return
    beside = [given] if given else [*stem.parent.glob(f"{stem.name}.*"), stem.with_name(f"{stem.name}_clips")]
    inside = (one.iterdir() if one.is_dir() else (one,) for one in beside)
    files = [path for path in chain.from_iterable(inside) if path.is_file()]
    stills = [path for path in files if is_still(path)]
    if any(path.suffix.lower() in VIDEO_SUFFIXES for path in files):
        return
    if stills:
        source = given or stills[0].parent
        bring = command("stages.workspace", "--workspace", place.root, f"--{side}", source)
        hint = f"put them into {frames}, {align}" if source == place.root else f"type: {bring}"
        what = f"{len(stills)} pictures and no clip" if len(stills) > 1 else f"{stills[0].name} is no clip"
        raise UserError(f"{what}: stills need no extraction", f"found {stills[0]}", hint)
    if not files and given is None and (there := len(list_images(frames))):
        what = f"no clip {stem}.*, and {frames} holds {there} pictures already"
        raise UserError(what, "stills need no extraction", align)


def is_still(path: Path) -> bool:
    """Whether a file is a picture by its suffix; GIF counts as a clip."""
    suffix = path.suffix.lower()
    return suffix in IMAGE_SUFFIXES and suffix not in VIDEO_SUFFIXES
