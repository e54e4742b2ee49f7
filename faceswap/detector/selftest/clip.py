"""A finished clip beside the untouched frames, which go through the same encoder before they are compared.

Otherwise a detector of compression would pass for one of swaps (detection.md §6, codec of clips).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from faceswap.console import command, progress, warn
from faceswap.detector.data.pairs import READERS, Seen, look, require_faces, untouched
from faceswap.errors import UserError
from faceswap.io.files import list_images
from faceswap.io.flow import fetched_ahead, ordered_map
from faceswap.io.images import DamagedImage, read_image
from faceswap.media.clips import clips_beside
from faceswap.media.encode import NOTE, Pictures, encode
from faceswap.media.encoders import choose_film
from faceswap.media.ffmpeg import extract_command, ffmpeg_binary
from faceswap.media.pipes import Decoder
from faceswap.media.probe.survey import surveyed
from faceswap.media.probe.video import Clip, picture_stream, probe
from faceswap.media.timestamps import read_timestamps
from faceswap.media.timing import Timing, find_pictures, find_timing
from faceswap.types import Frame, Json, Points, Side
from faceswap.workspace import Workspace

# What stages.encode takes where nobody says otherwise.
USUAL_QUALITY = 16
_NOTE = "Untouched frames, encoded to be compared with a face swap."


@dataclass(frozen=True)
class FinishedClip:
    """A finished clip and what it was made from.

    timing: when the untouched frames are shown. frames, masks: files by stem. faces: landmarks by stem.
    size: height and width of the untouched frames; the clip may have one line or column more.
    quality: x264's constant rate factor of the clip, None where it does not say. labelled: whether the clip
    says that it is synthetic.
    """

    clip: Clip
    timing: Timing
    frames: dict[str, Path]
    masks: dict[str, Path]
    faces: dict[str, list[Points]]
    size: tuple[int, int]
    quality: int | None
    labelled: bool

    def seen(self, every: int = 1) -> Iterator[Seen]:
        """Frames of the clip beside the untouched ones that are shown at the same time."""
        damaged = dict(self._damaged())
        intact = tuple(frame for frame in self.timing.frames if frame[0] not in damaged)
        places = {stem: place for place, (stem, _) in enumerate(intact)}
        taken = {stem for stem, _ in self.timing.frames[::every]}
        with self._encoded(intact) as path:
            reals = enumerate(frame for _, frame in frames_of(surveyed(probe(path))))
            for stem, fake in self._matched():
                if stem in damaged and stem in taken:
                    yield Seen(stem, [], damaged[stem])
                elif stem in taken:
                    real = next(frame for place, frame in reals if place == places[stem])
                    yield self._look(stem, real, fake)

    def count(self, every: int = 1) -> tuple[int, int]:
        stems = [stem for stem, _ in self.timing.frames[::every]]
        return len(stems), sum(len(self.faces.get(stem, [])) for stem in stems)

    def describe(self) -> Json:
        return {
            "kind": "clip",
            "name": self.clip.path.name,
            "untouched": len(self.timing.frames),
            "finished": self.clip.frames,
            "codec": self.clip.codec,
            "quality": self.quality,
            "encoded_with": self._crf,
            "labelled": self.labelled,
        }

    @property
    def _crf(self) -> int:
        return USUAL_QUALITY if self.quality is None else self.quality

    def _damaged(self) -> Iterator[tuple[str, str]]:
        """Untouched frames that cannot be read, and why."""
        reasons = ordered_map(_damage, self.frames.values(), READERS)
        shown = progress(reasons, "look through", "frames", len(self.frames))
        return ((stem, reason) for stem, reason in zip(self.frames, shown, strict=True) if reason)

    @contextmanager
    def _encoded(self, frames: Sequence[tuple[str, float]]) -> Iterator[Path]:
        """The untouched frames as a clip like the finished one, for as long as it is looked at."""
        if not frames:
            raise UserError("no untouched frame can be read", "", "extract dst again")
        with TemporaryDirectory(prefix="faceswap-") as folder:
            path, timing = Path(folder) / "untouched.mp4", replace(self.timing, frames=tuple(frames))
            pictures = Pictures([self.frames[stem] for stem, _ in frames])
            film = choose_film("h264", ffmpeg_binary(), quality=self._crf)
            encode(path, pictures, timing, film, sound=False, note=_NOTE)
            yield path

    def _matched(self) -> Iterator[tuple[str, Frame]]:
        """The stem of each untouched frame that the clip shows, and how the clip shows it."""
        stems, times = zip(*self.timing.frames, strict=True)
        if self.clip.counted and self.clip.frames == len(stems):
            # Whatever a copy of the clip has done to its times, its frames are these.
            return zip(stems, (frame for _, frame in frames_of(self.clip)), strict=False)
        found = nearest(frames_of(self.clip), times, 0.5 / self.timing.fps)
        return ((stems[index], frame) for index, frame in found)

    def _look(self, stem: str, real: Frame, fake: Frame) -> Seen:
        height, width = self.size
        real, fake = real[:height, :width], fake[:height, :width]
        return look(stem, real, fake, self.masks.get(stem), self.faces.get(stem, []))


def open_clip(place: Workspace, path: Path) -> FinishedClip:
    """A finished clip and the workspace it was made in.

    Raises UserError for a clip that cannot be read or has another size, and where untouched frames or faces
    are missing.
    """
    if not path.is_file():
        raise UserError(f"no clip {path}", "", "name a finished one: --clip FILE")
    clip = surveyed(probe(path))
    timing = _timing(place, path)
    again = command("stages.extract_dst", "--workspace", place.root)
    pictures = find_pictures(place.frames(Side.DST), timing, f"type: {again}")
    frames = {stem: picture for (stem, _), picture in zip(timing.frames, pictures, strict=True)}
    _, faces = untouched(place)
    require_faces(place, faces, frames)
    masks = {picture.stem: picture for picture in list_images(place.merged_mask)}
    size = _size(pictures)
    width, height = clip.frame_size
    if (height, width) not in ((size[0] + size[0] % 2, size[1] + size[1] % 2), size):
        found = f"{width}x{height}, and its frames {size[1]}x{size[0]}"
        raise UserError(f"{path} has another size than {place.frames(Side.DST)}", found, "encode it anew")
    quality, labelled = says_of_itself(path)
    if quality is None:
        warn(f"{path.name} does not say how it was encoded: part of what is found may be its compression")
    return FinishedClip(clip, timing, frames, masks, faces, size, quality, labelled)


def frames_of(clip: Clip) -> Iterator[tuple[float, Frame]]:
    """(seconds on the container's clock, (H, W, 3) RGB uint8) of every frame; warns of a damaged clip."""
    with Decoder(extract_command(clip, 0, False, ffmpeg_binary())) as decoder:
        start = None
        for seconds, frame in fetched_ahead(decoder.frames()):
            start = seconds if start is None else start
            yield seconds - start + clip.origin_s + clip.start_s, frame
        ended_well, _ = decoder.finish()
        damage = decoder.damage()
    if not ended_well or damage:
        said = damage[-1] if damage else "nothing"
        warn(f"{clip.path.name} is cut short or damaged; ffmpeg says: {said}")


def nearest(
    frames: Iterable[tuple[float, Frame]], times: Sequence[float], tolerance_s: float
) -> Iterator[tuple[int, Frame]]:
    """The index of each time, ascending, that a frame is near to, and the nearest frame."""
    upcoming = iter(frames)
    before, after = None, next(upcoming, None)
    for index, time_s in enumerate(times):
        while after is not None and after[0] < time_s:
            before, after = after, next(upcoming, None)
        around = [frame for frame in (before, after) if frame is not None]
        best = min(around, key=lambda frame: abs(frame[0] - time_s), default=None)
        if best is not None and abs(best[0] - time_s) <= tolerance_s:
            yield index, best[1]


def says_of_itself(path: Path) -> tuple[int | None, bool]:
    """The constant rate factor that x264 notes in a clip's first packet, and whether the clip is labelled."""
    with av.open(str(path.resolve()), metadata_errors="replace") as container:
        comment = container.metadata.get("comment", "")
        packet = bytes(next(container.demux(picture_stream(container, path))))
    found = re.search(rb"x264 - core.* crf=([\d.]+)", packet, re.DOTALL)
    return round(float(found[1])) if found else None, comment.startswith(NOTE.partition(":")[0])


def _timing(place: Workspace, path: Path) -> Timing:
    """When the untouched frames are shown; the finished clip stands in for a lost untouched one."""
    beside, _ = clips_beside(place.clip_stem(Side.DST))
    known = read_timestamps(place.frames(Side.DST)) is not None
    return find_timing(place, path if known or not beside else None, None)


def _damage(path: Path) -> str:
    try:
        read_image(path)
    except DamagedImage as error:
        return f"{path.name}: {error.reason}"
    return ""


def _size(pictures: Iterable[Path]) -> tuple[int, int]:
    """Height and width of the first picture that can be read."""
    for path in pictures:
        try:
            height, width = read_image(path).shape[:2]
        except DamagedImage:
            continue
        return height, width
    raise UserError("no untouched frame can be read", "", "extract dst again")
