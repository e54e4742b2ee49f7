"""All frames of a clip: read ahead, swapped in batches, composited in parallel, finished one by one.

Memory does not grow with the clip: at most a batch of frames and two frames a worker are held.
Threads do the image work, since OpenCV releases Python's lock; the model runs between them.
Here frames are files at both ends; `faceswap.merge.stream` puts clip and film in their places.
"""

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

import cv2

from faceswap.console import progress_bar
from faceswap.errors import is_general
from faceswap.geometry.warp import crop_face
from faceswap.io.files import atomic_path
from faceswap.io.images import DamagedImage, read_image, write_image, write_mask
from faceswap.masks.crops import MaskNetwork
from faceswap.merge.enhance import Enhancer
from faceswap.merge.face_masks import MaskInputs, in_batches, look_at, with_masks
from faceswap.merge.masks import Prediction
from faceswap.merge.plan import Task
from faceswap.merge.record import Record
from faceswap.merge.render import is_untouched, render
from faceswap.merge.steady import ClipMeasures, steadied
from faceswap.types import FaceType, Frame, Image, Mask

_MEASURED_AHEAD = 64


class Swapper(Protocol):
    """Gives faces another look, many at a time; `faceswap.merge.predict.Predictor` is one.

    morphs: whether a swap may lie between the two faces.
    """

    resolution: int
    face_type: FaceType
    morphs: bool
    enhancer: Enhancer

    @property
    def segmenter(self) -> MaskNetwork:
        """What finds the face in crops, for looks that need it; UserError where there is none."""

    def __call__(self, crops: Sequence[Image], morphs: Sequence[float] = (), /) -> list[Prediction]: ...


@dataclass
class Summary:
    """What a merge did, in frames, but for `faces`; sizes: the first frame of each (height, width)."""

    merged: int = 0
    without_face: int = 0
    faces: int = 0
    damaged: list[DamagedImage] = field(default_factory=list)
    sizes: dict[tuple[int, ...], str] = field(default_factory=dict)

    def count(self, task: Task) -> None:
        self.merged += bool(task.faces)
        self.without_face += not task.faces
        self.faces += len(task.faces)


@dataclass(frozen=True)
class Merger:
    """What renders frames and where they go; `workers` frames are composited at a time.

    measures: what looks that smooth over the clip need.
    """

    record: Record
    predictor: Swapper
    batch_size: int
    workers: int
    measures: ClipMeasures | None = None


def merge(
    todo: Sequence[Task],
    merger: Merger,
    *,
    already: int = 0,
    finished: Callable[[Task], bool] = lambda _task: True,
) -> Summary:
    """Write every task's picture and mask where the record says, and note it there.

    already: frames of the clip that need no work, for the progress bar. finished: told of every frame; False
    ends the merge. Frames that cannot be read are listed in the summary. Stopped at any moment, no
    half-written file is left.
    """
    summary = Summary()
    with (
        FramePool(merger.workers) as pool,
        progress_bar("merge", "frames", already + len(todo), already) as bar,
    ):
        for task in _merged(todo, merger, pool, summary):
            merger.record.add(task)
            summary.count(task)
            bar.update()
            if not finished(task):
                break
    return summary


def _merged(todo: Sequence[Task], merger: Merger, pool: "FramePool", summary: Summary) -> Iterator[Task]:
    """The tasks whose files were written, in order."""
    record, predictor, measures = merger.record, merger.predictor, merger.measures
    steady = any(face.near for task in todo for face in task.faces)
    # What is measured ahead is bounded, so that frames begin to appear, and a window can stop soon.
    step = _MEASURED_AHEAD if steady else max(1, len(todo))
    for part in (todo[start : start + step] for start in range(0, len(todo), step)):
        if steady and measures is not None:
            unknown = ((task, partial(read_image, task.frame)) for task in measures.missing(part))
            measure(measures, pool, unknown, predictor, merger.batch_size)
        loads = ((task, partial(read_image, task.frame)) for task in part)
        items = swapped(pool, loads, predictor, merger.batch_size, summary.damaged)
        yield from pool.ahead(
            (_write, item, predictor, measures, record.outputs(item.task.stem))
            for item in _announced(items, record, summary)
        )


def measure(
    measures: ClipMeasures,
    pool: "FramePool",
    loads: Iterable[tuple[Task, Callable[[], Frame]]],
    predictor: Swapper,
    batch_size: int,
) -> None:
    """Let `survey` see frames and what the model makes of them; those that cannot be read are passed over."""
    for item in swapped(pool, loads, predictor, batch_size, []):
        measures.keep(item.task, item.frame, item.crops, item.predictions)


class FramePool:
    """`workers` threads that work ahead of what is asked for; left, they drop what has not begun."""

    def __init__(self, workers: int) -> None:
        # Parallel over frames; threads inside OpenCV would only compete with that.
        cv2.setNumThreads(1)
        self._depth, self._pool = workers, ThreadPoolExecutor(workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def ahead(self, calls: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """Results of calls (function, *arguments) in order, at most `workers` of them waiting or in work."""
        waiting: deque[Future[Any]] = deque()
        for function, *arguments in calls:
            waiting.append(self._pool.submit(function, *arguments))
            if len(waiting) >= self._depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@dataclass(frozen=True)
class Item:
    """A decoded frame with the crops of its faces and what their masks need, later with their swaps."""

    task: Task
    frame: Frame
    crops: tuple[Image, ...]
    sights: tuple[MaskInputs, ...]
    predictions: tuple[Prediction, ...] = ()

    def render(self, predictor: Swapper, measures: ClipMeasures | None) -> tuple[Frame, Mask]:
        """The finished picture and mask of a swapped item; see `faceswap.merge.render.render`."""
        settings, face_type = self.task.settings, predictor.face_type
        faces, predictions = steadied(measures, self.task.faces, self.predictions, settings)
        size, enhancer = predictor.resolution, predictor.enhancer
        return render(self.frame, faces, predictions, face_type, settings, size, enhancer)


def swapped(
    pool: FramePool,
    loads: Iterable[tuple[Task, Callable[[], Frame]]],
    predictor: Swapper,
    batch_size: int,
    damaged: list[DamagedImage],
) -> Iterator[Item]:
    """The frames of tasks in order, loaded by the crew, with their faces swapped in batches.

    Frames that cannot be read are added to `damaged` instead.
    """
    read = pool.ahead((_read, task, load, predictor) for task, load in loads)
    return _swap(_intact(read, damaged), predictor, batch_size)


def _read(task: Task, load: Callable[[], Frame], predictor: Swapper) -> Item | DamagedImage:
    try:
        frame = load()
    except DamagedImage as damage:
        return damage
    except OSError as error:
        if is_general(error):
            raise
        return DamagedImage(task.frame, f"it cannot be read ({error.strerror})")
    size_px, face_type = predictor.resolution, predictor.face_type
    crops = (crop_face(frame, face.landmarks, size_px, face_type) for face in task.faces)
    return Item(task, frame, tuple(crops), look_at(frame, task.faces, task.settings.mask_mode, predictor))


def _announced(items: Iterable[Item], record: Record, summary: Summary) -> Iterator[Item]:
    for item in items:
        record.announce(item.task)
        summary.sizes.setdefault(item.frame.shape[:2], item.task.stem)
        yield item


def _intact(items: Iterable[Item | DamagedImage], damaged: list[DamagedImage]) -> Iterator[Item]:
    for item in items:
        if isinstance(item, DamagedImage):
            damaged.append(item)
        else:
            yield item


def _swap(items: Iterable[Item], predictor: Swapper, batch_size: int) -> Iterator[Item]:
    """Items with their predictions, in order.

    A group is sent off with a batch of frames at the latest, however few faces they have: memory is bounded.
    """
    group: list[Item] = []
    for item in items:
        group.append(item)
        if max(len(group), sum(len(member.crops) for member in group)) >= batch_size:
            yield from _predict(group, predictor, batch_size)
            group = []
    yield from _predict(group, predictor, batch_size)


def _predict(group: Sequence[Item], predictor: Swapper, batch_size: int) -> Iterator[Item]:
    faces = [(crop, item.task.settings.morph) for item in group for crop in item.crops]
    swaps = in_batches(lambda batch: predictor(*zip(*batch, strict=True)), faces, batch_size)
    sights = [sight for item in group for sight in item.sights]
    answers = iter(with_masks(sights, swaps, predictor, batch_size))
    for item in group:
        yield replace(item, predictions=tuple(islice(answers, len(item.crops))))


def _write(item: Item, predictor: Swapper, measures: ClipMeasures | None, paths: tuple[Path, Path]) -> Task:
    """Render a frame and write it; the picture comes last, so that it is never without its mask."""
    task = item.task
    picture, mask = item.render(predictor, measures)
    write_mask(paths[1], mask)
    if is_untouched(task.faces, task.settings) and task.frame.suffix.lower() == ".png":
        with atomic_path(paths[0]) as temporary:
            shutil.copyfile(task.frame, temporary)
    else:
        write_image(paths[0], picture)
    return task
