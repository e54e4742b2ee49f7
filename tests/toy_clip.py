"""Small clips made in code: numbered frames at chosen times, a click in the sound, rotation, colour tags."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import ffmpeg
import numpy as np

from faceswap.media.ffmpeg import ffmpeg_binary

VARIABLE_MS = (0, 33, 50, 200, 233, 500, 510)
CLICK_S = 0.25
RATE_HZ = 48_000
CLOCK_HZ = 1000


def level(number: int) -> int:
    """The grey of frame `number`, far enough from its neighbours to survive compression."""
    return 20 + 9 * (number % 24)


def grey(number: int, width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), level(number), np.uint8)


def corners(_number: int, width: int, height: int) -> np.ndarray:
    """Red top left, green top right, blue bottom left, white bottom right."""
    frame = np.full((height, width, 3), 255, np.uint8)
    frame[: height // 2, : width // 2] = (255, 0, 0)
    frame[: height // 2, width // 2 :] = (0, 255, 0)
    frame[height // 2 :, : width // 2] = (0, 0, 255)
    return frame


def pastels(number: int, width: int, height: int) -> np.ndarray:
    """The corners in colours so mild that every YUV matrix can hold them."""
    return corners(number, width, height) // 3 + 85


def make(
    path: Path,
    times_ms: Sequence[int] = VARIABLE_MS,
    *,
    size: tuple[int, int] = (64, 48),
    draw: Callable[[int, int, int], np.ndarray] = grey,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    pixels: str = "rgb24",
    sound: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a clip whose frame i is draw(i, width, height) in the layout `pixels`, shown at times_ms[i]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=container_options or {}) as container:
        # Frames are few and a clip of one key frame could not be cut usefully.
        quick = {"crf": "10", "g": "4"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=30, options=quick | (options or {}))
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(1, CLOCK_HZ)
        track = container.add_stream(sound, rate=RATE_HZ) if sound else None
        for number, time_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(draw(number, *size), format=pixels)
            frame.pts, frame.time_base = time_ms, Fraction(1, CLOCK_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if track is not None:
            _write_sound(container, track, seconds=max(0.5, times_ms[-1] / 1000 + 0.1))
    return path


def _write_sound(container: av.container.OutputContainer, track: av.AudioStream, seconds: float) -> None:
    """Silence with one short loud burst at CLICK_S."""
    samples = np.zeros(round(seconds * RATE_HZ), np.float32)
    start = round(CLICK_S * RATE_HZ)
    samples[start : start + 480] = np.sin(np.arange(480) * 0.4)
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
    context = track.codec_context
    resampler = av.AudioResampler(context.format, context.layout, RATE_HZ, context.frame_size or 1024)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        container.mux(track.encode(part))
    container.mux(track.encode())


def rewrap(source: Path, target: Path, output: dict[str, object] | None = None, **given: object) -> Path:
    """Copy a clip's streams into another file, e.g. with display_rotation=90 or another container."""
    options = {"c": "copy", "map": 0} | (output or {})
    command = ffmpeg.input(str(source), **given).output(str(target), **options)
    command.run(cmd=ffmpeg_binary(), quiet=True, overwrite_output=True)
    return target


def shown(path: Path) -> tuple[list[float], list[np.ndarray]]:
    """Times in seconds from the file's start, and the frames as RGB."""
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / 1_000_000
        frames = list(container.decode(video=0))
        return [f.time - start for f in frames], [f.to_ndarray(format="rgb24") for f in frames]


def click_s(path: Path) -> float:
    """When the burst is heard, in seconds from the file's start."""
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / 1_000_000
        for frame in container.decode(audio=0):
            # Planar sound has a row for each channel, packed sound one row with the channels in turn.
            samples = frame.to_ndarray()[0]
            if not frame.format.is_planar:
                samples = samples[:: frame.layout.nb_channels]
            full = np.iinfo(samples.dtype).max if samples.dtype.kind == "i" else 1.0
            loud = np.flatnonzero(np.abs(samples / full) > 0.3)
            if len(loud):
                return frame.time - start + loud[0] / frame.sample_rate
    raise AssertionError(f"no click in {path}")


def numbered(
    path: Path,
    count: int = 50,
    *,
    rate: str = "25",
    sound: str | None = None,
    sound_s: float | None = None,
    **options: object,
) -> Path:
    """A clip by the ffmpeg program whose frame n has the grey 20 + 4n, for what PyAV cannot write.

    sound: a codec; a burst is heard in it at CLICK_S. sound_s: its length.
    options: of ffmpeg's output, such as vcodec and g.
    """
    drawn = f"color=black:size=64x48:rate={rate},trim=end_frame={count},format=gray,geq=lum='20+4*N'"
    inputs = [ffmpeg.input(drawn, f="lavfi")]
    if sound:
        seconds = sound_s or count / Fraction(rate)
        wave = f"between(t,{CLICK_S},{CLICK_S + 0.01})*sin(t*19200)"
        burst = f"aevalsrc='{wave}':s={RATE_HZ}:d={float(seconds)}"
        inputs.append(ffmpeg.input(burst, f="lavfi"))
        options["acodec"] = sound
    given = {"pix_fmt": "yuv420p"} | options
    ffmpeg.output(*inputs, str(path), **given).run(cmd=ffmpeg_binary(), quiet=True, overwrite_output=True)
    return path


def counted(path: Path) -> list[int]:
    """Which frames of a `numbered` clip a film shows, in order."""
    with av.open(str(path)) as container:
        greys = [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]
    # The limited range of YUV has been widened to grey and back.
    return [round((grey - 20) / 4) for grey in greys]


def staying(path: Path, stay_ms: int = 2500, *, sound: str | None = None) -> Path:
    """A clip of 26 frames at 25 frames/s, whose last one, at 1 s, stays for `stay_ms`."""
    codec = {".gif": "gif", ".webm": "libvpx", ".avi": "mpeg4"}.get(path.suffix, "libx264")
    pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(1, CLOCK_HZ)
        track = container.add_stream(sound, rate=RATE_HZ) if sound else None
        packets = []
        for number in range(26):
            frame = av.VideoFrame.from_ndarray(grey(number, 64, 48), format="rgb24")
            frame.pts, frame.time_base = 40 * number, Fraction(1, CLOCK_HZ)
            packets += stream.encode(frame)
        for packet in (*packets, *stream.encode()):
            if packet.pts == 1000:
                packet.duration = stay_ms
            container.mux(packet)
        if track is not None:
            _write_sound(container, track, seconds=0.9)
    return path
