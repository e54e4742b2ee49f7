"""The stage that turns a folder of frames into a faceset, the same for src and dst."""

import os
from pathlib import Path
from typing import Literal

import cv2

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.extract import AlignLog, CropStyle, align_frames
from faceswap.align.packs import BUNDLED, load_pack
from faceswap.align.steady import steady
from faceswap.config import FaceTypeOption, StageSettings, option
from faceswap.console import command, progress_bar, say, warn
from faceswap.errors import UserError
from faceswap.faceset.store import Faceset, deepfacelab_faces
from faceswap.io.documents import read_settings
from faceswap.io.files import free_folder, list_images, write_json
from faceswap.io.leftout import left_out, say_left_out
from faceswap.runtime import DeviceName
from faceswap.types import FaceType, Json, Side
from faceswap.walk import next_step

REPORT_NAME = "align_report.json"
_NAMED = 10


class AlignSettings(StageSettings):
    """Flags of align_src and align_dst."""

    face_models: str = option(
        BUNDLED, "pack that finds faces and landmarks: bundled, a folder, or a name like buffalo_l"
    )
    face_type: FaceTypeOption = option(FaceType.WHOLE, "how much of the head a crop shows")
    size_px: int = option(512, "side of a crop", unit="px", ge=64, le=2048)
    max_faces: int = option(0, "largest faces kept in a frame; 0 keeps all", ge=0, le=100)
    min_face_px: int = option(40, "smaller faces are ignored", unit="px", ge=8, le=4096)
    format: Literal["jpg", "png"] = option("jpg", "png loses nothing and keeps 16 bits")
    quality: int = option(95, "of jpg crops", ge=1, le=100)
    debug_images: bool = option(False, "write frames with landmarks and crops drawn in, beside the faceset")
    device: DeviceName = option("auto", "where the pack runs")
    smooth: bool | None = option(
        None, "smooth landmarks along time without lag, --no-smooth takes it back; by default as it was"
    )
    workers: int = option(0, "frames worked on at a time; 0 is one a core", ge=0, le=128)
    again: bool = option(False, "move faces that are there to a trash folder and start anew")


# What decides how crops look; the rest may change between two runs of one faceset.
_DECISIVE = ("face_models", "face_type", "size_px", "max_faces", "min_face_px", "format", "quality")


def align(cfg: AlignSettings, side: Side) -> None:
    """Align the frames of `side`; continues where it was stopped, raises UserError where it would mix."""
    frames, aligned = _frames(cfg, side), cfg.place.aligned(side)
    reason = _why_anew(cfg, side, frames)
    # Nothing is moved before the pack is known to be there.
    todo = frames if reason else AlignLog(aligned).pending(frames)
    pack = load_pack(cfg.face_models, cfg.device) if todo else None
    if reason:
        _move_away(aligned)
    log = AlignLog(aligned)
    # Every worker is a thread of its own; OpenCV's threads on top would only fight for the cores.
    cv2.setNumThreads(1)
    if pack is not None:
        aligned.mkdir(parents=True, exist_ok=True)
        cfg.model_copy(update={"again": False}).save(aligned / f"align_{side}.json")
        _work(cfg, side, FaceAnalyzer(pack, cfg.min_face_px, cfg.max_faces), todo, log, len(frames))
    else:
        say(f"all {len(frames)} frames are aligned already (--again starts anew)")
    write_json(aligned / REPORT_NAME, log.summary())
    _tell(cfg, side, log.summary())
    # Opening writes the index, from which metadata stripped by other programs can be restored.
    faceset = Faceset.open(aligned)
    steadiness = steady(faceset, frames, cfg.smooth, cfg.quality, _workers(cfg))
    write_json(aligned / REPORT_NAME, log.summary() | steadiness)
    say(f"{len(faceset.faces)} crops in {aligned}")
    say(f"next: {next_step(cfg.place, f'align_{side}')}")


def _frames(cfg: AlignSettings, side: Side) -> list[Path]:
    folder = cfg.place.frames(side)
    frames: dict[str, Path] = {}
    for path in list_images(folder):
        if path.stem in frames:
            warn(f"{path.name} is left out: {frames[path.stem].name} would give crops of the same name")
        else:
            frames[path.stem] = path
    if not frames:
        hint = f"extract them first: {command(f'stages.extract_{side}', '--workspace', cfg.workspace)}"
        found = left_out(folder) if folder.is_dir() else "there is no such folder"
        raise UserError(f"no frames in {folder}", found, hint)
    say_left_out(folder)
    return list(frames.values())


def _why_anew(cfg: AlignSettings, side: Side, frames: list[Path]) -> str:
    """Why the faces that are there have to go first, "" where they stay; without --again a UserError."""
    aligned = cfg.place.aligned(side)
    log = AlignLog(aligned)
    crops = list_images(aligned)
    theirs = "" if log.results else deepfacelab_faces(aligned, crops)
    reason = f"it holds {theirs}" if theirs else _mismatch(cfg, side, frames, log, len(crops))
    # The same command continues: --again with an unfinished set of the same settings does not start over.
    if cfg.again and not reason and log.results and not log.pending(frames):
        return "--again"
    if reason and not cfg.again:
        trash = free_folder(aligned.with_name("aligned_trash"))
        what = theirs if theirs else f"{len(crops)} faces of another alignment"
        hint = f"add --again: they are moved to {trash}, nothing is deleted"
        if theirs:
            raise UserError(f"{aligned} holds {what}, which cannot be read yet", "", hint)
        raise UserError(f"{aligned} already holds {what}", reason, f"give the same settings, or {hint}")
    return reason


def _move_away(aligned: Path) -> None:
    trash, crops = free_folder(aligned.with_name("aligned_trash")), len(list_images(aligned))
    trash.parent.mkdir(parents=True, exist_ok=True)
    os.replace(aligned, trash)
    say(f"moved {crops} older faces to {trash}")


def _mismatch(cfg: AlignSettings, side: Side, frames: list[Path], log: AlignLog, crops: int) -> str:
    saved = cfg.place.aligned(side) / f"align_{side}.json"
    if not crops and not log.results:
        return ""
    if not saved.is_file():
        return "this stage did not make them"
    before, now = read_settings(saved), cfg.model_dump(mode="json")
    differing = [
        f"--{key.replace('_', '-')} was {before[key]}, now {now[key]}"
        for key in _DECISIVE
        if key in before and before[key] != now[key]
    ]
    changed = log.changed(frames)
    if changed:
        differing.append(f"{len(changed)} frames have other files by now, as {changed[0]}")
    return "; ".join(differing)


def _work(
    cfg: AlignSettings, side: Side, analyst: FaceAnalyzer, todo: list[Path], log: AlignLog, total: int
) -> None:
    style = CropStyle(side, cfg.face_type, cfg.size_px, f".{cfg.format}", cfg.quality)
    debug = cfg.place.aligned_debug(side) if cfg.debug_images else None
    results = align_frames(todo, cfg.place.aligned(side), analyst, style, _workers(cfg), debug)
    faces = 0
    with progress_bar(f"align {side}", "frames", total, initial=total - len(todo)) as bar:
        for result in results:
            log.append(result)
            faces += result.faces
            bar.set_postfix_str(f"{faces} faces", refresh=False)
            bar.update()


def _workers(cfg: AlignSettings) -> int:
    return cfg.workers or os.cpu_count() or 1


def _tell(cfg: AlignSettings, side: Side, summary: Json) -> None:
    aligned = cfg.place.aligned(side)
    without, damaged = summary["without_face"], summary["damaged"]
    say(f"{summary['faces']} faces in {summary['frames']} frames; {len(without)} frames without a face")
    if without:
        say(f"  without a face: {_some(without)}")
    for name in list(damaged)[:_NAMED]:
        warn(f"{name} could not be read: {damaged[name]}")
    if damaged:
        warn(f"{len(damaged)} damaged frames have no faces; mended files are aligned by the same command")
    if len(without) > _NAMED or len(damaged) > _NAMED:
        say(f"  all of them are named in {aligned / REPORT_NAME}")
    if not summary["faces"]:
        hint = f"look at the frames, lower --min-face-px {cfg.min_face_px}, or try --face-models buffalo_l"
        raise UserError(f"no face was found in any of {summary['frames']} frames", "", hint)


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
