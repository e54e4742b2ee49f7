"""Timed RGB frames between us and an ffmpeg process, as NUT through its standard input or output.

NUT carries size, depth and time stamps with every frame, so that nothing has to be told beside it.
"""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from types import TracebackType
from typing import IO, Any, Self, cast

import av
import av.error
import numpy as np

from faceswap.errors import UserError
from faceswap.media.ffmpeg import TICKS_HZ
from faceswap.media.probe.damage import complaints
from faceswap.stopping import end_with_us
from faceswap.types import Frame

# One call from libav into Python for each MiB instead of for each 32 KiB.
_BUFFER_BYTES = 1 << 20
# Frames after which nothing is said any more of what was before the first key frame.
_STARTED = 32
# A slow decoder on a busy machine gives an 8K frame in seconds; with a low --fps minutes of a clip may pass
# between two frames that are kept.
_SILENCE_S = 900.0
# (bytes a value, channels) -> ffmpeg's name.
_LAYOUTS = {(1, 3): "rgb24", (1, 4): "rgba", (2, 3): "rgb48le", (2, 4): "rgba64le"}


class Process:
    """A running ffmpeg that ends with the `with` block, whatever happens in it."""

    def __init__(self, command: list[str], *, feed: bool = False, read: bool = False) -> None:
        # A file, not a pipe: nobody has to empty it while frames flow.
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = _started(
            command,
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=subprocess.PIPE if read else subprocess.DEVNULL,
            stderr=self._log,
            # Ctrl-C reaches us alone; we end ffmpeg when what is under way is whole.
            start_new_session=True,
        )
        end_with_us(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._log.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def finish(self) -> tuple[bool, str]:
        """Wait for the end; whether ffmpeg calls it a success, and the last 300 characters it had to say."""
        code = self._process.wait()
        return code == 0, self._said().decode("utf-8", "replace").strip()[-300:]

    def _said(self) -> bytes:
        """All it had to say; once it has ended, because it writes where we would read."""
        self._log.seek(0)
        return self._log.read()


def _started(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
    """A process; a Ctrl-C that arrives while it starts is heard afterwards, or it would run on unknown."""
    heed = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(heed):
        return subprocess.Popen(command, **options)
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        process = subprocess.Popen(command, **options)
    finally:
        signal.signal(signal.SIGINT, heed)
    if heard:
        process.kill()
        process.wait()
        heed(heard[0], None)
    return process


class Patience:
    """Kills a process that keeps us waiting for longer than `limit_s` at once; `lapsed` says that it did."""

    def __init__(self, process: Process, limit_s: float) -> None:
        self.lapsed = False
        self._process, self._limit_s = process, limit_s
        self._since_s: float | None = None
        self._over = threading.Event()

    def waiting(self) -> None:
        """From now on the process is waited for."""
        self._since_s = time.monotonic()

    def served(self) -> None:
        """It has answered."""
        self._since_s = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(min(1.0, self._limit_s)):
            since_s = self._since_s
            if since_s is not None and time.monotonic() - since_s > self._limit_s:
                self.lapsed = True
                self._process.kill()
                return


class Decoder(Process):
    """An ffmpeg process that writes frames, made by `extract_command`.

    silence_s: UserError where no frame comes for so long.
    """

    def __init__(self, command: list[str], silence_s: float = _SILENCE_S) -> None:
        super().__init__(command, read=True)
        self._said_at_first: int | None = None
        self._silence_s = silence_s

    def frames(self) -> Iterator[tuple[float, Frame]]:
        """Yield (seconds on ffmpeg's clock, (H, W, 3) RGB uint8 or uint16) until the stream ends."""
        assert self._process.stdout is not None
        with Patience(self, self._silence_s) as patience:
            patience.waiting()
            try:
                for number, item in enumerate(_demux(self._process.stdout)):
                    patience.served()
                    if number == _STARTED:
                        self._said_at_first = os.fstat(self._log.fileno()).st_size
                    yield item
                    patience.waiting()
            except UserError:
                # Half a picture is left behind by a process that was ended.
                if not patience.lapsed:
                    raise
        if patience.lapsed:
            found = f"no picture came for {self._silence_s:g} s, and it was stopped"
            raise UserError("ffmpeg does not answer", found, "convert the clip anew, or cut that part out")

    def damage(self) -> list[str]:
        """The lines in which it told of damaged pictures; once it has ended."""
        return complaints(self._said(), self._said_at_first)


class Encoder(Process):
    """An ffmpeg process that takes frames, made by `encode_command`."""

    def __init__(self, command: list[str]) -> None:
        super().__init__(command, feed=True)

    def feed(self, frames: Iterable[tuple[float, Frame]], fps: float) -> None:
        """Give it at least one (seconds, frame), all of one size and depth; returns when it has them.

        A frame is (H, W, 3) RGB or (H, W, 4) with alpha, uint8 or uint16.
        fps is no clock: it only says how a time code counts.
        """
        assert self._process.stdin is not None
        with ThreadPoolExecutor(1) as pool:
            # In a thread, because PyAV swallows a Ctrl-C that arrives inside its write callback.
            feeding = pool.submit(_mux, self._process.stdin, frames, fps)
            try:
                feeding.result()
            except BaseException:
                self.kill()
                raise


class Filter(Process):
    """An ffmpeg process that takes frames and writes them changed, made by `denoise_command`."""

    def __init__(self, command: list[str]) -> None:
        super().__init__(command, feed=True, read=True)

    def frames(self, frames: Iterable[tuple[float, Frame]], fps: float) -> Iterator[Frame]:
        """Yield a frame for each of `frames`, which a thread gives it meanwhile; see `Encoder.feed`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with ThreadPoolExecutor(1) as pool:
            feeding = pool.submit(_mux, self._process.stdin, frames, fps)
            try:
                yield from (frame for _, frame in _demux(self._process.stdout))
                feeding.result()
            except BaseException:
                self.kill()
                raise


class Transcoder(Process):
    """An ffmpeg process from file to file that tells how far it is, made by `cut_command`."""

    def __init__(self, command: list[str]) -> None:
        super().__init__(command, read=True)

    def counts(self) -> Iterator[int]:
        """Yield the number of frames encoded so far, now and then, until it ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            name, _, value = line.decode("ascii", "replace").partition("=")
            if name == "frame":
                yield int(value)


def _demux(pipe: IO[bytes]) -> Iterator[tuple[float, Frame]]:
    try:
        container = av.open(pipe, "r", format="nut", buffer_size=_BUFFER_BYTES)
    except (av.error.InvalidDataError, av.error.EOFError):
        return
    with container:
        stream = container.streams.video[0]
        dtype = np.uint16 if stream.format.name.startswith("rgb48") else np.uint8
        shape = (stream.height, stream.width, 3)
        for packet in container.demux(stream):
            if packet.size == 0 or packet.pts is None:
                continue
            if packet.size != np.prod(shape) * np.dtype(dtype).itemsize:
                raise UserError("the clip changes its picture size", f"after {shape}", "cut it there first")
            frame = cast(Frame, np.frombuffer(memoryview(packet), dtype).reshape(shape))
            yield float(packet.pts * packet.time_base), frame


def _mux(pipe: IO[bytes], frames: Iterable[tuple[float, Frame]], fps: float) -> None:
    timed = iter(frames)
    first = next(timed)
    # When ffmpeg dies its own words explain more than our broken pipe, for which PyAV has a name of its own
    # when it closes the container.
    with (
        suppress(BrokenPipeError, av.error.PyAVCallbackError),
        pipe,
        av.open(pipe, "w", format="nut", buffer_size=_BUFFER_BYTES) as out,
    ):
        stream = out.add_stream("rawvideo", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = first[1].shape[:2]
        stream.pix_fmt = _LAYOUTS[first[1].dtype.itemsize, first[1].shape[2]]
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_HZ)
        for time_s, frame in chain([first], timed):
            packet = av.Packet(frame.tobytes())
            packet.stream, packet.time_base = stream, stream.time_base
            packet.pts = packet.dts = round(time_s * TICKS_HZ)
            packet.is_keyframe = True
            out.mux(packet)
