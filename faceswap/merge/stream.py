"""Straight from the clip to the film: frames are decoded, swapped and encoded at once, and none is written.

The steps in between are those of `faceswap.merge.run`. Clip and films lie at their ends with a thread each;
short queues hold back whoever is faster, so that memory does not grow with the clip.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import Full, Queue
from typing import Self, TypeVar

import numpy as np

from faceswap.console import command, progress, progress_bar, say, warn
from faceswap.errors import UserError
from faceswap.io.images import as_grey
from faceswap.media.alpha import alpha_of
from faceswap.media.clips import find_clips, frame_names
from faceswap.media.codecs import Film
from faceswap.media.encode import MASK_NOTE, NOTE, as_fed, encode_frames, with_alpha
from faceswap.media.extract import as_extracted, is_deep, open_frames, say_geometry, timed_frames
from faceswap.media.probe.survey import surveyed
from faceswap.media.probe.video import Clip, probe
from faceswap.media.timestamps import Choice, Timestamps, read_timestamps
from faceswap.media.timing import Timing
from faceswap.merge.plan import Task
from faceswap.merge.run import FramePool, Item, Summary, Swapper, measure, swapped
from faceswap.merge.steady import ClipMeasures
from faceswap.types import Frame, Side
from faceswap.workspace import Workspace

T = TypeVar("T")

# Frames that wait for an encoder: enough to even out its slower ones.
_QUEUED = 4


@dataclass(frozen=True)
class Source:
    """A clip whose frames are decoded when needed, with the names and times that extract_dst gives them."""

    clip: Clip
    choice: Choice
    timing: Timing

    @property
    def is_deep(self) -> bool:
        """Whether its frames have 16 bits a channel instead of 8."""
        return is_deep(self.clip, self.choice)

    def paths(self, folder: Path) -> list[Path]:
        """Where extract_dst would write the frames."""
        return [folder / f"{stem}.{self.choice.format}" for stem, _ in self.timing.frames]

    def frames(self) -> Generator[Frame, None, None]:
        """Decode all frames in order; UserError when the clip gives fewer or more than it should."""
        wanted, count = len(self.timing.frames), 0
        with open_frames(self.clip, self.choice) as decoder:
            for _, frame in timed_frames(decoder, self.clip):
                count += 1
                if count <= wanted:
                    yield frame
            _, words = decoder.finish()
        if count != wanted:
            found = f"{count} frames instead of {wanted}{'; ffmpeg says: ' * bool(words)}{words}"
            hint = f"take names and times anew: {command('stages.extract_dst')} --workspace … --again"
            raise UserError(f"{self.clip.path} does not give the frames it has", found, hint)


def find_source(place: Workspace, given: Path | None) -> Source:
    """The clip that receives the face: `given`, else the one its frames came from, else data_dst.*.

    Names and times are those of timestamps.json where that tells of this clip; else the clip is decoded once
    to learn them. Raises UserError where there is no clip, or several.
    """
    record = read_timestamps(place.frames(Side.DST))
    clip = probe(_find_clip(place, given, record))
    if record and record.clips[0].fingerprint == clip.fingerprint:
        # The stream whose frames the faces were cut from, which earlier versions chose otherwise.
        clip = probe(clip.path, record.clips[0].stream)
        known = {name: getattr(record.clips[0], name) for name in ("geometry", "fps", "frames")}
        clip = clip.model_copy(update=known)
    else:
        clip = surveyed(clip)
    say_geometry(clip)
    choice = record.choice if record else Choice()
    if clip.several:
        say(clip.several)
    if record and record.complete and record.clips[0].fingerprint == clip.fingerprint:
        frames = tuple((Path(frame.name).stem, frame.time_s) for frame in record.frames)
    else:
        if record and record.complete:
            warn(f"{clip.path.name} is not the clip that the faces of data_dst were cut from")
        frames = _measured(clip, choice)
    shown = as_extracted(clip, choice)
    return Source(clip, choice, Timing(frames, min(clip.fps, choice.fps or clip.fps), shown, clip.end_s))


def _find_clip(place: Workspace, given: Path | None, record: Timestamps | None) -> Path:
    if given is None and record is not None and record.clips[0].path.is_file():
        return record.clips[0].path
    clips = find_clips(place.clip_stem(Side.DST), given)
    if len(clips) > 1:
        found = ", ".join(clip.name for clip in clips)
        raise UserError("the destination is one clip", f"found {found}", f"add --input {clips[0]}")
    return clips[0]


def _measured(clip: Clip, choice: Choice) -> tuple[tuple[str, float], ...]:
    """Stem and time of every frame. Containers may count others than can be decoded, so all are."""
    say(f"no timestamps.json of {clip.path.name}: its frames are counted first")
    (name,) = frame_names([clip], choice)
    with open_frames(clip, choice) as decoder:
        times = [time_s for time_s, _ in timed_frames(decoder, clip)]
        _, words = decoder.finish()
    if not times:
        raise UserError(f"no frame of {clip.path} could be decoded", words, "copy or convert it anew")
    return tuple((Path(name.format(number)).stem, time_s) for number, time_s in enumerate(times, 1))


@dataclass(frozen=True)
class Films:
    """What a stream writes, both as `film`. mask: None where `film` carries the masks as alpha.

    own_alpha: the clip whose alpha `film` carries instead.
    """

    film: Film
    picture: Path
    mask: Path | None
    sound: bool
    own_alpha: Clip | None = None


def stream(
    source: Source,
    tasks: Sequence[Task],
    predictor: Swapper,
    batch_size: int,
    workers: int,
    films: Films,
    measures: ClipMeasures | None = None,
) -> Summary:
    """Write the films of a clip with the frames of `tasks`, one for each frame of `source`.

    Their pixels, times, sound, tags and notes are those that extract, merge and encode would give. Stopped at
    any moment, nothing is left of them; older ones stay until the new ones are whole. Looks that smooth over
    the clip need it decoded twice.
    """
    summary = Summary()
    if measures is not None:
        _measure(source, tasks, measures, predictor, batch_size, workers)
    finish = partial(_finish, predictor=predictor, measures=measures, films=films)
    # The clip is closed before the crew waits for its work, and the films, torn or whole, come last.
    with ExitStack() as stack:
        reels = [stack.enter_context(reel) for reel in _reels(films, source.timing)]
        pool = stack.enter_context(FramePool(workers))
        decoded = stack.enter_context(closing(source.frames()))
        loads = ((task, partial(_same, frame)) for task, frame in zip(tasks, decoded, strict=True))
        items = swapped(pool, loads, predictor, batch_size, summary.damaged)
        with progress_bar("stream", "frames", len(tasks)) as bar:
            for task, pictures in pool.ahead((finish, item) for item in items):
                for reel, picture in zip(reels, pictures, strict=True):
                    reel.put(picture)
                summary.count(task)
                bar.update()
        for reel in reels:
            reel.finish()
    return summary


def _measure(
    source: Source,
    tasks: Sequence[Task],
    measures: ClipMeasures,
    predictor: Swapper,
    batch_size: int,
    workers: int,
) -> None:
    unknown = {task.stem: task for task in measures.missing(tasks)}
    if not unknown:
        return
    with FramePool(workers) as pool, closing(source.frames()) as decoded:
        clip = progress(decoded, "look ahead", "frames", len(tasks))
        frames = zip((task.stem for task in tasks), clip, strict=True)
        loads = ((unknown[stem], partial(_same, frame)) for stem, frame in frames if stem in unknown)
        measure(measures, pool, loads, predictor, batch_size)


def _same(value: T) -> T:
    return value


def _finish(
    item: Item, predictor: Swapper, measures: ClipMeasures | None, films: Films
) -> tuple[Task, list[Frame]]:
    """The pictures that the films are fed with; masks have the 8 bits that files of them have."""
    picture, mask = item.render(predictor, measures)
    grey = as_grey(mask)
    if films.film.alpha and films.own_alpha is None:
        return item.task, [as_fed(picture, films.film, grey.astype(np.float32) / np.float32(255))]
    pictures = [picture] if films.mask is None else [picture, np.dstack([grey] * 3)]
    return item.task, [as_fed(one, films.film) for one in pictures]


def _reels(films: Films, timing: Timing) -> Iterator["_Reel"]:
    wanted = [(films.picture, films.sound, NOTE)]
    if films.mask is not None:
        wanted.append((films.mask, False, MASK_NOTE))
    for target, sound, note in wanted:
        film = replace(films.film, alpha=False) if target == films.mask else films.film
        write = partial(encode_frames, target, timing=timing, film=film, sound=sound, note=note)
        if films.own_alpha is not None and target == films.picture:
            alpha = alpha_of(films.own_alpha, [time_s for _, time_s in timing.frames])
            yield _Reel(lambda frames, write=write, alpha=alpha: write(with_alpha(frames, alpha, films.film)))  # type: ignore[misc]
        else:
            yield _Reel(write)


class _TornError(Exception):
    """The frames of a film end before it does."""


class _Reel:
    """A film that a thread writes from the frames it is given; whole when finished, gone when not."""

    def __init__(self, write: Callable[[Iterator[Frame]], None]) -> None:
        # None is the end; an exception is raised where the frames are taken.
        self._queue: Queue[Frame | _TornError | None] = Queue(_QUEUED)
        self._pool = ThreadPoolExecutor(1)
        self._written = self._pool.submit(write, self._frames())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # One that is finished does not look into its queue any more.
        self._offer(_TornError())
        self._pool.shutdown()

    def put(self, frame: Frame) -> None:
        """Give the next frame; waits while the encoder is behind, and raises what stopped it."""
        if not self._offer(frame):
            self._written.result()

    def finish(self) -> None:
        """Wait until the film is in place."""
        self._offer(None)
        self._written.result()

    def _offer(self, item: Frame | _TornError | None) -> bool:
        """Put `item` into the queue; False when nobody will take it any more."""
        while not self._written.done():
            with suppress(Full):
                self._queue.put(item, timeout=0.1)
                return True
        return False

    def _frames(self) -> Iterator[Frame]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, _TornError):
                raise item
            yield item
