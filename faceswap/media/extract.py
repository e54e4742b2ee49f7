"""Clips to frames: continued where it stopped, refused where it would mix, forecast before it starts."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceswap.console import progress_bar, say, warn
from faceswap.errors import UserError
from faceswap.io.files import free_folder, gib, list_images, require_free_space
from faceswap.io.flow import fetched_ahead, ordered_map
from faceswap.io.images import encode_image, write_image
from faceswap.media.clips import MARGIN, expected_frames, frame_names
from faceswap.media.ffmpeg import extract_command, ffmpeg_binary
from faceswap.media.pipes import Decoder
from faceswap.media.probe.color import SDR
from faceswap.media.probe.damage import is_cut_short
from faceswap.media.probe.survey import surveyed
from faceswap.media.probe.video import Clip, last_frame_s, probe, sample_frames
from faceswap.media.timestamps import NAME, Choice, FrameTime, Timestamps, read_timestamps, write_timestamps
from faceswap.types import Frame

# Changes of size that are told one by one.
_MOST_LINES = 8


def extract(paths: Sequence[Path], folder: Path, choice: Choice, *, again: bool = False) -> Timestamps:
    """Write the frames of `paths` to `folder`, and their times to its timestamps.json.

    A set that was begun with the same clips and choice, or has lost frames, is continued; a whole one is left
    alone. Other frames in `folder` are never replaced: UserError, or with `again` they are moved to a trash
    folder.
    """
    clips = tuple(surveyed(probe(path), choice.deinterlace) for path in paths)
    wanted = Timestamps(choice=choice, clips=tuple(as_extracted(clip, choice) for clip in clips))
    done, older = _settle(wanted, folder, again)
    if done is not None:
        return done
    # Nothing is moved before the clips have shown that they can be decoded.
    _require_space(wanted, folder, older)
    if older:
        _move_away(older, folder)
    for clip in clips:
        say(_one_line(clip, choice))
        say_geometry(clip)
        if clip.several:
            say(clip.several)
    folder.mkdir(parents=True, exist_ok=True)
    # Left by a process that was killed in the middle of a frame.
    for half_written in folder.glob(f".*.tmp.{choice.format}"):
        half_written.unlink()
    write_timestamps(folder, wanted)
    frames: list[FrameTime] = []
    total = sum(expected_frames(clip, choice.fps) for clip in clips)
    with progress_bar(f"extract {folder.name}", "frames", total) as bar:
        for index, (clip, name) in enumerate(zip(clips, frame_names(clips, choice), strict=True)):
            for frame in _Taker(clip, index, folder, name, choice).frames():
                frames.append(frame)
                bar.update()
    finished = wanted.model_copy(update={"complete": True, "frames": tuple(frames)})
    write_timestamps(folder, finished)
    return finished


def open_frames(clip: Clip, choice: Choice) -> Decoder:
    """The process that decodes the frames of `clip` which `choice` keeps; ends with its `with` block."""
    deep = is_deep(clip, choice)
    return Decoder(extract_command(clip, choice.fps, deep, ffmpeg_binary(), tone_map=choice.tone_map))


def as_extracted(clip: Clip, choice: Choice) -> Clip:
    """The clip with the colours that its frames have."""
    mapped = choice.tone_map and clip.color.dynamic_range != "SDR"
    return clip.model_copy(update={"color": SDR}) if mapped else clip


def say_geometry(clip: Clip) -> None:
    """Tell what becomes of pictures that are not frames as they are."""
    geometry = clip.geometry
    told = list(geometry.words)
    if clip.sample_aspect != (1, 1) and geometry.width:
        told.append("its pixels are {}:{}, and a film of it gets them again".format(*clip.sample_aspect))
    if geometry.ignored_aspect:
        told.append("pixels of {}:{} cannot be, they are taken as square".format(*geometry.ignored_aspect))
    if told:
        say(f"{clip.path.name}: {'; '.join(told)}")
    changes = geometry.changes()
    for line in changes[:_MOST_LINES]:
        say(f"  {line}")
    if len(changes) > _MOST_LINES:
        say(f"  and {len(changes) - _MOST_LINES} changes more")


def timed_frames(decoder: Decoder, clip: Clip) -> Iterator[tuple[float, Frame]]:
    """Yield (seconds from the clip's start, to the microsecond, frame); ffmpeg's clock may start anywhere."""
    start = None
    for seconds, frame in fetched_ahead(decoder.frames()):
        start = seconds if start is None else start
        yield round(seconds - start + clip.start_s, 6), frame


def is_deep(clip: Clip, choice: Choice) -> bool:
    """Whether frames have 16 bits a channel instead of 8."""
    return clip.bit_depth > 8 and choice.format == "png"


def _settle(wanted: Timestamps, folder: Path, again: bool) -> tuple[Timestamps | None, Sequence[Path]]:
    """The finished record of `folder`, None when frames are to be written; and those to move away first."""
    there = list_images(folder)
    try:
        found = read_timestamps(folder)
    except UserError:
        if not again:
            raise
        found = None
    differences = wanted.differences(found) if found else ["not made by this stage"] * bool(there)
    lost = {frame.name for frame in found.frames} - {path.name for path in there} if found else set()
    if there and found and found.complete and not lost and not differences and not again:
        say(f"already there: {len(there)} frames in {folder} (--again makes them anew)")
        return found, ()
    if not differences and not (again and found and found.complete):
        return None, ()
    if there and not again:
        raise UserError(
            f"{folder} already holds {len(there)} other frames",
            "asked for: " + "; ".join(differences) if found else "they were not made by this stage",
            f"add --again: they are moved to {_trash(folder)} and nothing is deleted",
        )
    return None, there


def _trash(folder: Path) -> Path:
    return free_folder(folder.with_name(f"{folder.name}_trash"))


def _move_away(frames: Sequence[Path], folder: Path) -> None:
    trash = _trash(folder)
    trash.mkdir(parents=True)
    # The record goes last: should we be stopped in between, the rest is moved by the next run.
    for path in [*frames, folder / NAME]:
        if path.exists():
            os.replace(path, trash / path.name)
    say(f"moved {len(frames)} older frames to {trash}")


def _require_space(wanted: Timestamps, folder: Path, older: Sequence[Path]) -> None:
    needed = 0.0
    for clip in wanted.clips:
        sizes = [
            len(encode_image(f".{wanted.choice.format}", frame, wanted.choice.quality))
            for frame in sample_frames(clip, is_deep(clip, wanted.choice))
        ]
        needed += float(np.mean(sizes or [0])) * MARGIN * expected_frames(clip, wanted.choice.fps)
    have = 0 if older else sum(path.stat().st_size for path in list_images(folder))
    require_free_space(folder, max(0, int(needed - have)), f"extracting to {folder}")
    say(f"about {gib(needed)} on disk")


def _one_line(clip: Clip, choice: Choice) -> str:
    parts = [
        f"{clip.width}x{clip.height}",
        f"{clip.fps:.5g} frames/s",
        f"{clip.duration_s:.1f} s",
        clip.codec,
    ]
    if clip.mirrored and clip.rotation_deg % 180 == 0:
        parts.append(
            f"mirrored {'top to bottom' if clip.rotation_deg else 'left to right'}, as players show it"
        )
    elif clip.rotation_deg:
        parts.append(f"{'mirrored and ' * clip.mirrored}turned upright by {clip.rotation_deg}°")
    if clip.color.dynamic_range != "SDR":
        kind = clip.color.dynamic_range
        parts.append(f"{kind} made SDR" if choice.tone_map else f"{kind} (--tone-map makes it SDR)")
    if clip.bit_depth > 8:
        kept = "kept in 16-bit PNG" if choice.format == "png" else "cut to 8 by --format jpg"
        parts.append(f"{clip.bit_depth} bits, {kept}")
    if clip.alpha:
        parts.append("transparent in part (frames are opaque; dst's film takes the alpha from the clip)")
    return f"{clip.path.name}: {', '.join(parts)}"


@dataclass(frozen=True)
class _Taker:
    """The frames of one clip: taken from ffmpeg, written where they are missing, counted at the end."""

    clip: Clip
    index: int
    folder: Path
    name: str
    choice: Choice

    def frames(self) -> Iterator[FrameTime]:
        last: FrameTime | None = None
        count = 0
        with open_frames(self.clip, self.choice) as decoder:
            numbered = enumerate(timed_frames(decoder, self.clip), 1)
            for last in ordered_map(self._write, numbered, os.cpu_count() or 1):
                count += 1
                yield last
            ended_well, words = decoder.finish()
            damage = decoder.damage()
        if last is None:
            raise UserError(
                f"no frame of {self.clip.path} could be decoded", words, "copy or convert it anew"
            )
        self._judge(count, last.time_s, ended_well, damage)

    def _write(self, item: tuple[int, tuple[float, Frame]]) -> FrameTime:
        number, (time_s, frame) = item
        path = self.folder / self.name.format(number)
        if not path.exists():
            write_image(path, frame, self.choice.quality)
        return FrameTime(name=path.name, time_s=time_s, clip=self.index)

    def _judge(self, count: int, last_s: float, ended_well: bool, damage: Sequence[str]) -> None:
        """Say when the file lacks its end, frames at the end are missing, or ffmpeg tells of damage."""
        clip = self.clip
        promised_s = last_frame_s(clip) if self.choice.fps == 0 else None
        short = is_cut_short(clip.path) or (promised_s or 0.0) - last_s > 1.5 / clip.fps
        if short or damage or not ended_well:
            warn(
                f"{clip.path.name} is cut short or damaged: {count} frames to {last_s:.2f} s were kept,"
                f" of about {expected_frames(clip, self.choice.fps)} in {clip.duration_s:.2f} s"
                + (f"; ffmpeg says: {damage[-1]}" if damage else "")
            )
