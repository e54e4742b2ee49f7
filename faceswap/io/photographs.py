"""Photographs as the frames of a side, instead of a clip."""

import filecmp
import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from faceswap.console import command, progress, say
from faceswap.errors import UserError
from faceswap.io.clips import VIDEO_SUFFIXES, clips_beside
from faceswap.io.files import IMAGE_SUFFIXES, atomic_path, list_images, require_free_space
from faceswap.io.leftout import left_out, say_left_out
from faceswap.types import Side
from faceswap.workspace import Workspace


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
