"""Timed RGB frames between us and an ffmpeg process, as NUT through its standard input or output.

NUT carries size, depth and time stamps with every frame, so that nothing has to be told beside it.
"""

import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from types import TracebackType
from typing import IO, Self, cast

import av
import av.error
import numpy as np

from faceswap.errors import UserError
from faceswap.io.ffmpeg import TICKS_HZ
from faceswap.types import Frame

# One call from libav into Python for each MiB instead of for each 32 KiB.
_BUFFER_BYTES = 1 << 20


class Process:
    """A running ffmpeg that ends with the `with` block, whatever happens in it."""

    def __init__(self, command: list[str], *, feed: bool) -> None:
        # A file, not a pipe: nobody has to empty it while frames flow.
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if feed else subprocess.PIPE,
            stderr=self._log,
            # Ctrl-C reaches us alone; we end ffmpeg when what is under way is whole.
            start_new_session=True,
        )

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
        self._log.seek(0)
        return code == 0, self._log.read().decode("utf-8", "replace").strip()[-300:]


class Decoder(Process):
    """An ffmpeg process that writes frames, made by `extract_command`."""

    def __init__(self, command: list[str]) -> None:
        super().__init__(command, feed=False)

    def frames(self) -> Iterator[tuple[float, Frame]]:
        """Yield (seconds on ffmpeg's clock, (H, W, 3) RGB uint8 or uint16) until the stream ends."""
        assert self._process.stdout is not None
        try:
            container = av.open(self._process.stdout, "r", format="nut", buffer_size=_BUFFER_BYTES)
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
                    raise UserError(
                        "the clip changes its picture size", f"after {shape}", "cut it there first"
                    )
                frame = cast(Frame, np.frombuffer(memoryview(packet), dtype).reshape(shape))
                yield float(packet.pts * packet.time_base), frame


class Encoder(Process):
    """An ffmpeg process that takes frames, made by `encode_command`."""

    def __init__(self, command: list[str]) -> None:
        super().__init__(command, feed=True)

    def feed(self, frames: Iterable[tuple[float, Frame]], fps: float) -> None:
        """Give it at least one (seconds, (H, W, 3) RGB uint8), all of one size; returns when it has them.

        fps is no clock: it only says how long the last frame is shown.
        """
        with ThreadPoolExecutor(1) as pool:
            # In a thread, because PyAV swallows a Ctrl-C that arrives inside its write callback.
            feeding = pool.submit(self._mux, frames, fps)
            try:
                feeding.result()
            except BaseException:
                self.kill()
                raise

    def _mux(self, frames: Iterable[tuple[float, Frame]], fps: float) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        timed = iter(frames)
        first = next(timed)
        # When ffmpeg dies its own words explain more than our broken pipe.
        with (
            suppress(BrokenPipeError),
            pipe,
            av.open(pipe, "w", format="nut", buffer_size=_BUFFER_BYTES) as out,
        ):
            stream = out.add_stream("rawvideo", rate=Fraction(fps).limit_denominator(1001))
            stream.height, stream.width = first[1].shape[:2]
            stream.pix_fmt = "rgb24"
            stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_HZ)
            for time_s, frame in chain([first], timed):
                packet = av.Packet(frame.tobytes())
                packet.stream, packet.time_base = stream, stream.time_base
                packet.pts = packet.dts = round(time_s * TICKS_HZ)
                packet.is_keyframe = True
                out.mux(packet)
