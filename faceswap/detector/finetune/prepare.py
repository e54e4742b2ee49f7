"""The pictures that a fine-tuning reads: faces cut out as the workbench cuts them, or whole pictures.

WORK/prepared.jsonl     one line a file, appended when its pictures are on disk; a second run goes on there
WORK/crops/…            the cut faces, and the frames of clips
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import av.error
import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import StringConstraints

from faceswap.align.analysis import FaceAnalyzer
from faceswap.console import progress, say, warn
from faceswap.detector.data.gather import CROP_PX, QUALITY, cut
from faceswap.detector.finetune.folders import READERS, Entry
from faceswap.detector.measures.metrics import uniform_frames
from faceswap.detector.network.model import LABELS
from faceswap.errors import UserError
from faceswap.io.documents import Count, Digest, read_lines
from faceswap.io.flow import ordered_map
from faceswap.io.images import DamagedImage, as_uint8, read_image, write_image
from faceswap.media.ffmpeg import extract_command, ffmpeg_binary
from faceswap.media.pipes import Decoder
from faceswap.media.probe.survey import surveyed
from faceswap.media.probe.video import probe
from faceswap.types import Frame

# From this difference on, the faces that are not found are part of the answer (detection.md §6).
UNEVEN = 0.02
# Files that are cut faces already lose many: the finder needs room around a face.
MANY = 0.2


class Picture(NamedTuple):
    """One picture to learn from or to be judged. frame: its number in its clip, None of a still picture."""

    path: Path
    entry: Entry
    frame: int | None = None


class Skipped(NamedTuple):
    """A file of which pictures are missing: faceless ones, or `damaged` and all of it."""

    entry: Entry
    faceless: int
    damaged: str

    @property
    def reason(self) -> str:
        of_clip = f" in {self.faceless} of its frames" if self.entry.is_clip else ""
        return self.damaged or f"no face was found{of_clip}"


_FrameNumber = Annotated[str, StringConstraints(pattern=r"^(-|[0-9]{1,12})$")]
_File = Annotated[str, StringConstraints(max_length=1024, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True)
class Cut:
    """What became of one file. files: its pictures by frame, "-" for a still one; "" is the file itself."""

    sha256: Digest
    how: str
    files: dict[_FrameNumber, _File]
    faceless: Count = 0
    damaged: str = ""


@dataclass(frozen=True)
class Prepared:
    """All pictures of a folder, and the files that did not give all of theirs."""

    pictures: list[Picture]
    skipped: list[Skipped]

    def faceless(self, label: int) -> float:
        """The share of a class's readable pictures in which no face was found."""
        lost = sum(skipped.faceless for skipped in self.skipped if skipped.entry.label == label)
        kept = sum(picture.entry.label == label for picture in self.pictures)
        return lost / max(1, lost + kept)


@dataclass(frozen=True)
class Cutter:
    """Makes the pictures of files in the folder `work`.

    analyst: finds the faces, of which the largest is cut out; None takes whole pictures, and the frames of
    clips as squares of size_px. frames: how many of a clip, evenly spread.
    """

    work: Path
    analyst: FaceAnalyzer | None
    frames: int
    size_px: int
    pack: str = ""

    @property
    def how(self) -> str:
        """The choices that the pictures depend on."""
        kind = f"whole {self.size_px}" if self.analyst is None else f"faces {CROP_PX} {self.pack}"
        return f"{kind}, {self.frames} frames"

    def __call__(self, entry: Entry) -> Cut:
        """Write the pictures of one file; what cannot be read is told in the answer."""
        files, faceless = {}, 0
        try:
            for frame, picture in self._frames(entry):
                if self.analyst is None and not entry.is_clip:
                    files[frame] = ""
                elif (found := self._crop(picture)) is not None:
                    files[frame] = self._write(entry, frame, found)
                else:
                    faceless += 1
        except DamagedImage as error:
            return Cut(entry.sha256, self.how, {}, 0, error.reason)
        except (UserError, av.error.FFmpegError) as error:
            return Cut(entry.sha256, self.how, {}, 0, str(error).splitlines()[0])
        damaged = "" if files or faceless else "no picture in it can be decoded"
        return Cut(entry.sha256, self.how, files, faceless, damaged)

    def _frames(self, entry: Entry) -> Iterator[tuple[str, Frame]]:
        if not entry.is_clip:
            yield "-", read_image(entry.path)
            return
        clip = surveyed(probe(entry.path))
        wanted = set(uniform_frames(clip.frames, self.frames).tolist())
        with Decoder(extract_command(clip, 0, False, ffmpeg_binary())) as decoder:
            for number, (_, frame) in enumerate(decoder.frames()):
                if number in wanted:
                    yield str(number), frame
                if number == max(wanted):
                    return

    def _crop(self, frame: Frame) -> NDArray[np.uint8] | None:
        if self.analyst is None:
            return to_square(as_uint8(frame), self.size_px)
        faces = self.analyst.find(frame)
        return cut(frame, faces[0].landmarks) if faces else None

    def _write(self, entry: Entry, frame: str, picture: NDArray[np.uint8]) -> str:
        # Every crop of both classes goes through one and the same codec; whole frames stay as they are.
        suffix = ".png" if self.analyst is None else ".jpg"
        file = f"crops/{entry.sha256[:2]}/{entry.sha256[:20]}_{frame}{suffix}"
        (self.work / file).parent.mkdir(parents=True, exist_ok=True)
        write_image(self.work / file, picture, QUALITY)
        return file


def prepare(entries: Iterable[Entry], cutter: Cutter) -> Prepared:
    """The pictures of all files, made where they are not there yet.

    Raises UserError when a class has none. Says how many files are left out, and warns where the faces of
    one class were missed more often than those of the other.
    """
    entries, path = list(entries), cutter.work / "prepared.jsonl"
    cutter.work.mkdir(parents=True, exist_ok=True)
    known = _read(path, cutter)
    missing = list({entry.sha256: entry for entry in entries if entry.sha256 not in known}.values())
    with path.open("a", encoding="utf-8") as log:
        todo = progress(missing, "prepare", "files") if missing else iter(())
        for made in ordered_map(cutter, todo, READERS):
            known[made.sha256] = made
            # The break before it, so that a line which a kill cut off does not swallow this one.
            log.write("\n" + json.dumps(asdict(made)))
            log.flush()
    prepared = Prepared([], [])
    for entry in entries:
        made = known[entry.sha256]
        for frame, file in made.files.items():
            at = cutter.work / file if file else entry.path
            prepared.pictures.append(Picture(at, entry, None if frame == "-" else int(frame)))
        if made.faceless or made.damaged:
            prepared.skipped.append(Skipped(entry, made.faceless, made.damaged))
    _tell(prepared)
    return prepared


def to_square(picture: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """The picture (H, W, 3) stretched to (S, S, 3), averaged when smaller; of a square one as judge.fit."""
    if picture.shape[:2] == (side_px, side_px):
        return picture
    method = cv2.INTER_AREA if min(picture.shape[:2]) > side_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=method), np.uint8)


def read_square(path: Path, side_px: int) -> NDArray[np.uint8]:
    """A picture file as (S, S, 3) uint8."""
    return to_square(as_uint8(read_image(path)), side_px)


def _read(path: Path, cutter: Cutter) -> dict[str, Cut]:
    """What was made before in the same way and is still there."""
    found: dict[str, Cut] = {}
    for made in read_lines(path, Cut):
        if made.how == cutter.how and all(
            (cutter.work / file).is_file() for file in made.files.values() if file
        ):
            found[made.sha256] = made
    return found


def _tell(prepared: Prepared) -> None:
    damaged = [skipped for skipped in prepared.skipped if skipped.damaged]
    if damaged:
        say(f"{len(damaged)} files cannot be read and are left out, first {damaged[0].entry.file}")
    shares = {name: prepared.faceless(label) for label, name in LABELS.items()}
    if any(shares.values()):
        told = ", ".join(f"{100 * share:.1f} % of {name}" for name, share in shares.items())
        say(f"no face was found in {told}: left out, see skipped.csv")
    for label, name in LABELS.items():
        if not any(picture.entry.label == label for picture in prepared.pictures):
            reason = next(skipped.reason for skipped in prepared.skipped if skipped.entry.label == label)
            hint = "for pictures that are cut faces already, add --whole-image"
            raise UserError(f"not one picture of {name} can be used", reason, hint)
    if max(shares.values()) - min(shares.values()) > UNEVEN:
        warn("faces of one class are missed more often: all figures are about the faces that are left")
    if max(shares.values()) > MANY:
        warn("so many faces are missed: if these are cut faces already, add --whole-image")
