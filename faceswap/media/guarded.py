"""Decode a file that a stranger sent, in a process of its own that can be stopped.

A hostile file can keep a decoder busy for hours, take all memory, or crash it, and no thread can be stopped.
So such a file is only ever opened in a child: it limits its own memory and computing time (POSIX; on Windows
the clock alone holds), measures before it decodes, and writes raw frames to its standard output. The parent
holds the models, reads bytes that need no parser, and ends a child that keeps it waiting for too long.
"""

import json
import os
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from typing import Literal, Self

import av
import av.error
import numpy as np
import psutil
from av.container import InputContainer
from PIL import Image

from faceswap.errors import UserError
from faceswap.io.images import DamagedImage, as_uint8, picture_size, read_image
from faceswap.media.ffmpeg import extract_command, ffmpeg_binary
from faceswap.media.pipes import Decoder, Process
from faceswap.media.probe.survey import surveyed
from faceswap.media.probe.video import probe
from faceswap.types import Frame

# Of the formats of io.images those that people send, told by their first bytes; no other is a picture here.
_PICTURES = ("PNG", "JPEG", "WEBP", "BMP", "AVIF", "HEIF", "TIFF")
# Containers that hold their own frames. A playlist or a list of files could have others opened, or a network.
_CONTAINERS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,asf,flv,mxf,ogg,yuv4mpegpipe,nut,gif"
_HEAD_BYTES = 4096
# Of one frame: seconds, height and width in px; a height of 0 says that all frames have been written.
_FRAME = struct.Struct("<dII")
_MIB = 1 << 20
_LOG_BYTES = 16 * _MIB
# How often a child is looked at, and how much longer than it computes it may take on a machine that is busy.
_WATCH_S = 0.1
_BUSY = 30


class TooLarge(UserError):  # noqa: N818 - named for what it is, like DamagedImage
    """More pixels or seconds than are allowed."""


class Undecodable(UserError):  # noqa: N818
    """No picture and no clip, or one that cannot be decoded within the limits."""


@dataclass(frozen=True)
class Limits:
    """What decoding one file may take.

    megapixels: of a picture or frame. clip_s: length of a clip. frames: of a longer clip so many are taken,
    evenly spaced. decode_s: processor seconds of the decoder and all it starts, so that a busy machine
    refuses nothing; where it computes nothing, thirty times as long by the clock. memory_mib: of the decoder.
    """

    megapixels: float
    clip_s: float
    frames: int
    decode_s: float
    memory_mib: int


class Guarded(Process):
    """The frames of one file, decoded in a child that ends with the `with` block.

    kind: "picture" or "clip". total: the frames it has, of which at most `limits.frames` are decoded.
    Entering raises TooLarge or Undecodable, and so does `frames`. `what` is fit for the stranger; `found` may
    hold the decoder's last words, which are for the operator alone.
    """

    kind: Literal["picture", "clip"]
    total: int

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits, self._waited_s, self._late = limits, 0.0, False
        words = [str(path.resolve()), ffmpeg_binary(), json.dumps(asdict(limits))]
        super().__init__([sys.executable, "-m", __name__, *words], read=True)

    def __enter__(self) -> Self:
        try:
            head = json.loads(self._read(_HEAD_BYTES))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        if "refused" in head:
            self.__exit__(None, None, None)
            raise (TooLarge if head["refused"] == TooLarge.__name__ else Undecodable)(head["why"])
        self.kind, self.total = head["kind"], head["total"]
        return self

    def kill(self) -> None:
        """End the child and the ffmpeg that it may have started."""
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        super().kill()

    def frames(self) -> Iterator[tuple[float, Frame]]:
        """Yield (seconds, (H, W, 3) RGB uint8); time spent between two frames does not count as decoding."""
        most_px = self._limits.megapixels * 1e6
        for _ in range(self._limits.frames + 1):
            time_s, height, width = _FRAME.unpack(self._read(_FRAME.size))
            if height == 0:
                return
            if height * width > most_px:
                break
            yield time_s, np.frombuffer(self._read(height * width * 3), np.uint8).reshape(height, width, 3)
        raise Undecodable("its decoder misbehaved and was stopped")

    def _read(self, count: int) -> bytes:
        """Exactly `count` bytes; the clock runs only while they are waited for."""
        assert self._process.stdout is not None
        began, arrived = time.monotonic(), Event()
        # A thread instead of a poll, because Windows cannot poll a pipe.
        watch = Thread(target=self._watch, args=(began, arrived), daemon=True)
        watch.start()
        try:
            data = self._process.stdout.read(count)
        finally:
            arrived.set()
            watch.join()
            self._waited_s += time.monotonic() - began
        if len(data) == count:
            return data
        if self._late:
            raise Undecodable(f"decoding it took longer than {self._limits.decode_s:g} s and was stopped")
        self.kill()
        why = "its decoder gave up: the file is damaged, or takes more memory than is allowed"
        raise Undecodable(why, self.finish()[1])

    def _watch(self, began: float, arrived: Event) -> None:
        """End the child once it has computed, or kept us waiting, for too long."""
        while not arrived.wait(_WATCH_S):
            waited_s = self._waited_s + time.monotonic() - began
            if max(self._computed_s(), waited_s / _BUSY) > self._limits.decode_s:
                self._late = True
                self.kill()
                return

    def _computed_s(self) -> float:
        """Processor seconds of the child, of those it has started, and of those that have ended."""
        spent = 0.0
        with suppress(psutil.Error):
            child = psutil.Process(self._process.pid)
            for process in (child, *child.children(recursive=True)):
                with suppress(psutil.Error):
                    spent += sum(process.cpu_times()[:4])
        return spent


def _restrain(limits: Limits) -> None:
    """Limit this process and those it starts; a stricter limit that is already there stays."""
    try:
        import resource
    except ImportError:
        return
    # The parent's watch is the real limit of time; this one holds where the parent is gone.
    seconds = int(limits.decode_s + 1) * (os.cpu_count() or 1)
    for what, most in (
        (resource.RLIMIT_AS, limits.memory_mib * _MIB),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, _LOG_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _picture(path: Path, limits: Limits) -> Frame | None:
    """The picture in the file, None if it is none; its header is measured before a pixel is decoded."""
    # Pillow's own limit is an error first; ours is a sentence.
    Image.MAX_IMAGE_PIXELS = None
    try:
        size = picture_size(path, _PICTURES)
        if size is None:
            return None
        _measure("picture", *size, limits)
        return as_uint8(read_image(path))
    except TooLarge:
        raise
    except DamagedImage as error:
        raise Undecodable(f"this picture cannot be decoded: {error.reason}") from None
    except UserError as error:
        # A library that does not fit into the memory that is allowed, or is missing.
        raise Undecodable("this picture cannot be decoded here", str(error)) from None


def _clip(path: Path, binary: str, limits: Limits) -> tuple[int, Iterator[tuple[float, Frame]]]:
    """How many frames the clip has, and those that are taken."""
    # Opened here first, so that a file which would have others opened is refused before anything follows it.
    allowed = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(str(path), options=allowed) as container:
            clip = probe(path)
            _measure("clip", clip.width, clip.height, limits)
            clip = surveyed(clip)
            _measure("clip", *clip.frame_size, limits)
            times = _times(container, clip.stream)
    except TooLarge:
        raise
    except (av.error.FFmpegError, UserError):
        raise Undecodable("this is no picture and no clip that can be read, or it is cut off") from None
    total = len(times) or clip.frames
    length_s = (max(times) - min(times)) * total / max(1, total - 1) if times else clip.duration_s
    if length_s > limits.clip_s:
        raise TooLarge(f"this clip is {length_s:.0f} s long; at most {limits.clip_s:g} s are judged")
    fps = limits.frames / length_s if total > limits.frames and length_s else 0.0
    command = extract_command(clip, fps, False, binary)
    at = command.index("-i")
    command[at:at] = [word for name, value in allowed.items() for word in (f"-{name}", value)]
    return round(total * clip.geometry.share), _decoded(command, limits.frames)


def _times(container: InputContainer, stream: int) -> list[float]:
    """The seconds of every frame, from its packets: what a header says of them is only a claim."""
    packets = [packet for packet in container.demux(container.streams[stream]) if packet.size]
    stamps = [(packet.dts if packet.pts is None else packet.pts, packet.time_base) for packet in packets]
    return [float(stamp * base) for stamp, base in stamps if stamp is not None]


def _decoded(command: list[str], most: int) -> Iterator[tuple[float, Frame]]:
    with Decoder(command) as decoder:
        frames = decoder.frames()
        yield from islice(frames, most)
        if next(frames, None) is None and not decoder.finish()[0]:
            # Without the last mark the parent knows that frames are missing.
            sys.exit(1)


def _measure(what: str, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.megapixels * 1e6:
        found = f"{width}x{height} px"
        raise TooLarge(f"this {what} has {found}; at most {limits.megapixels:g} megapixels are decoded")


def _say(**head: object) -> None:
    sys.stdout.buffer.write(json.dumps(head).encode().ljust(_HEAD_BYTES))


def main(path: Path, binary: str, limits: Limits) -> None:
    """The child: one head of JSON, then frames, on standard output."""
    _restrain(limits)
    out = sys.stdout.buffer
    try:
        picture = _picture(path, limits)
        total, frames = (1, iter([(0.0, picture)])) if picture is not None else _clip(path, binary, limits)
    except (TooLarge, Undecodable) as error:
        _say(refused=type(error).__name__, why=error.what)
        return
    _say(kind="clip" if picture is None else "picture", total=total)
    for time_s, frame in frames:
        out.write(_FRAME.pack(time_s, *frame.shape[:2]))
        out.write(np.ascontiguousarray(frame).data)
        out.flush()
    out.write(_FRAME.pack(0, 0, 0))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Limits(**json.loads(sys.argv[3])))
