"""Pictures made of two fields, as camcorders and television make them: found, and made whole again."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import av
import av.error
import ffmpeg
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from faceswap.media.probe.combing import Detector, Kind, Verdict
from faceswap.media.probe.geometry import Fields, Geometry

# Where in the clip pictures are looked at, until enough of them move.
_PLACES = (0.5, 0.15, 0.85, 0.32, 0.68, 0.05, 0.95, 0.42)
# Pictures in a row: few where nothing tells of fields, else three cycles of telecine.
_FEW, _MANY = 4, 17
# Moving pictures that settle it.
_SOME, _ENOUGH = 6, 48
# Pictures after which nothing more is expected of a still clip that nothing tells of fields in.
_PATIENCE = 16
# Part of the moving pictures that must have fields: in telecine it is 2 of 5.
_LEAST = 0.25
# Film of 24 pictures a second as 30 (NTSC); its cycle in pictures.
_TELECINE_FPS = (29.0, 31.0)
_CYCLE = 5
# AVFieldOrder: bottom first, and coded otherwise than shown.
_BOTTOM_FIRST = (3, 4)


@dataclass
class _Tally:
    """What ffmpeg's idet says of pictures, run after run, and whether they are flagged as interlaced."""

    kinds: Counter[tuple[Kind, bool]] = field(default_factory=Counter)
    repeats: list[list[str]] = field(default_factory=list)

    def add(self, run: Sequence[Verdict]) -> None:
        """Count pictures that follow each other."""
        self.kinds.update((verdict.kind, verdict.flagged) for verdict in run)
        self.repeats.append([verdict.repeats for verdict in run])

    def count(self, kind: Kind) -> int:
        return self.kinds[kind, True] + self.kinds[kind, False]

    @property
    def combed(self) -> int:
        return self.count("tff") + self.count("bff")

    @property
    def moving(self) -> int:
        return self.combed + self.count("progressive")

    @property
    def is_suspicious(self) -> bool:
        return self.combed > 0 or any(flagged for (_, flagged), count in self.kinds.items() if count)

    @property
    def is_settled(self) -> bool:
        """Whether more pictures would tell little."""
        if self.is_suspicious:
            return self.moving >= _ENOUGH
        return self.moving >= _SOME or self.kinds.total() >= _PATIENCE

    @property
    def first_field(self) -> Fields:
        return "tff" if self.count("tff") >= self.count("bff") else "bff"

    @property
    def flags_are_true(self) -> bool:
        """Whether some pictures are flagged, some not, and only flagged ones have fields."""
        plain = sum(count for (_, flagged), count in self.kinds.items() if not flagged)
        return plain > 0 and self.kinds["tff", False] + self.kinds["bff", False] == 0

    @property
    def is_telecine(self) -> bool:
        """Whether fields of both kinds are repeated, each at its place in a cycle of five pictures."""
        places = Counter(
            (run, kind, place % _CYCLE)
            for run, kinds in enumerate(self.repeats)
            for place, kind in enumerate(kinds)
            if kind != "neither"
        )
        best: Counter[tuple[int, str]] = Counter()
        for (run, kind, _), count in places.items():
            best[run, kind] = max(best[run, kind], count)
        total, steady = sum(places.values()), sum(best.values())
        seen = sum(len(kinds) for kinds in self.repeats)
        both = {kind for _, kind in best} == {"top", "bottom"}
        return both and total >= _LEAST * seen and steady >= 0.8 * total


def find_fields(container: InputContainer, stream: VideoStream, duration_s: float) -> Geometry | None:
    """What of a clip's geometry concerns fields; None where its pictures have none, whatever it says itself.

    Few pictures are decoded, unless they or their flags tell of fields.
    """
    tally, seen = _Tally(), set[int]()
    for place in _PLACES:
        if not _look(container, stream, place * duration_s, tally, seen):
            # Seeking in MPEG streams may end behind the last key frame.
            with av.open(container.name, metadata_errors="replace") as fresh:
                again = fresh.streams[stream.index]
                assert isinstance(again, VideoStream)
                if not _look(fresh, again, None, tally, seen):
                    break
        if tally.is_settled:
            break
    if tally.combed < 3 or not (tally.flags_are_true or tally.combed >= _LEAST * tally.moving):
        return None
    fps = float(stream.average_rate or 0)
    pulled_down = tally.is_telecine and _TELECINE_FPS[0] < fps < _TELECINE_FPS[1]
    return Geometry(fields=tally.first_field, pulled_down=pulled_down, flagged=tally.flags_are_true)


def told_fields(stream: VideoStream) -> Fields:
    """The first field as the file tells it, top where it does not."""
    return "bff" if stream.codec_context.field_order in _BOTTOM_FIRST else "tff"


def _look(
    container: InputContainer, stream: VideoStream, from_s: float | None, tally: _Tally, seen: set[int]
) -> bool:
    """Add the next pictures that were not seen before to `tally`; False where there are none.

    from_s: from where on, None for the first.
    """
    if from_s is not None:
        with suppress(av.error.FFmpegError):
            container.seek((container.start_time or 0) + int(from_s * 1_000_000))
    verdicts: list[Verdict] = []
    # Pictures that cannot be looked at, or change their size, end the look.
    with suppress(av.error.FFmpegError, ValueError):
        verdicts += _judged(container, stream, tally.is_suspicious, seen)
    tally.add(verdicts)
    return bool(verdicts)


def _judged(
    container: InputContainer, stream: VideoStream, is_suspicious: bool, seen: set[int]
) -> Iterator[Verdict]:
    detector, count = Detector(stream), 0
    for frame in _decoded(container, stream):
        if frame.pts in seen:
            continue
        # Without times nothing can be sought, and what is read is new.
        seen.update([] if frame.pts is None else [frame.pts])
        count, is_suspicious = count + 1, is_suspicious or bool(frame.interlaced_frame)
        for verdict in detector.verdicts(frame):
            is_suspicious |= verdict.kind in ("tff", "bff")
            yield verdict
        if count >= (_MANY if is_suspicious else _FEW):
            break
    yield from detector.verdicts(None)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue


def whole(pictures: Any, geometry: Geometry, deep: bool) -> Any:
    """Pictures without fields: one for each, at its time; of telecined film four for five.

    deep: they have more than 8 bits a channel.
    """
    if geometry.fields is None:
        return pictures
    weave = {"parity": geometry.fields, "mode": "send_frame"}
    if geometry.pulled_down:
        order = geometry.fields
        if deep:
            # The filter looks at 8 bits, but matches fields of others; only then it cannot tell what is left
            # combed, and spoils matches when asked to.
            parts = pictures.split()
            shallow = parts[0].filter("format", "yuv420p|yuv422p|yuv444p")
            pictures = ffmpeg.filter(
                [shallow, parts[1]], "fieldmatch", ppsrc=1, order=order, combmatch="none"
            )
        else:
            pictures = pictures.filter("fieldmatch", order=order, combmatch="full")
        # What could not be matched is marked as interlaced.
        return pictures.filter("bwdif", **weave, deint="interlaced").filter("decimate")
    return pictures.filter("bwdif", **weave, deint="interlaced" if geometry.flagged else "all")
