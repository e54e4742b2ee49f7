"""All frames of a clip: read ahead, swap in batches, composite in parallel, written one by one.

Memory does not grow with the clip: at most a batch of frames and two frames a worker are held.
Threads do the image work, since OpenCV releases Python's lock; the model runs between them.
"""

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import cv2

from faceswap.console import progress_bar
from faceswap.io.files import atomic_path
from faceswap.io.images import DamagedImage, read_image, write_image, write_mask
from faceswap.merge.masks import Prediction
from faceswap.merge.plan import Task
from faceswap.merge.record import Record
from faceswap.merge.render import is_untouched, render
from faceswap.merge.warp import crop_face
from faceswap.types import FaceType, Frame, Image


class Swapper(Protocol):
    """Gives faces another look, many at a time; `faceswap.merge.predict.Predictor` is one."""

    resolution: int
    face_type: FaceType

    def __call__(self, crops: Sequence[Image]) -> list[Prediction]: ...


@dataclass
class Summary:
    """What a merge did, in frames, but for `faces`."""

    merged: int = 0
    without_face: int = 0
    faces: int = 0
    damaged: list[DamagedImage] = field(default_factory=list)

    def count(self, task: Task) -> None:
        self.merged += bool(task.faces)
        self.without_face += not task.faces
        self.faces += len(task.faces)


@dataclass(frozen=True)
class Merger:
    """What renders frames and where they go; `workers` frames are composited at a time."""

    record: Record
    predictor: Swapper
    batch_size: int
    workers: int


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
    # Parallel over frames; threads inside OpenCV would only compete with that.
    cv2.setNumThreads(1)
    record, workers, predictor = merger.record, merger.workers, merger.predictor
    summary, face_type, size = Summary(), predictor.face_type, predictor.resolution
    pool = ThreadPoolExecutor(workers)
    try:
        read = _ahead(pool, ((_read, task, size, face_type) for task in todo), workers)
        swapped = _swap(_intact(read, summary.damaged), predictor, merger.batch_size)
        announced = _announced(swapped, record)
        laid = ((_finish, item, face_type, size, record.outputs(item.task.stem)) for item in announced)
        with progress_bar("merge", "frames", already + len(todo), already) as bar:
            for task in _ahead(pool, laid, workers):
                record.add(task)
                summary.count(task)
                bar.update()
                if not finished(task):
                    break
    finally:
        pool.shutdown(cancel_futures=True)
    return summary


def _ahead(pool: ThreadPoolExecutor, calls: Iterable[tuple[Any, ...]], depth: int) -> Iterator[Any]:
    """Results of calls (function, *arguments) in order, at most `depth` of them waiting or in work."""
    waiting: deque[Future[Any]] = deque()
    for function, *arguments in calls:
        waiting.append(pool.submit(function, *arguments))
        if len(waiting) >= depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@dataclass(frozen=True)
class _Item:
    """A decoded frame with the crops of its faces, later with their swaps."""

    task: Task
    frame: Frame
    crops: tuple[Image, ...]
    predictions: tuple[Prediction, ...] = ()


def _read(task: Task, size_px: int, face_type: FaceType) -> _Item | DamagedImage:
    try:
        frame = read_image(task.frame)
    except DamagedImage as damage:
        return damage
    crops = (crop_face(frame, face.landmarks, size_px, face_type) for face in task.faces)
    return _Item(task, frame, tuple(crops))


def _announced(items: Iterable[_Item], record: Record) -> Iterator[_Item]:
    for item in items:
        record.announce(item.task)
        yield item


def _intact(items: Iterable[_Item | DamagedImage], damaged: list[DamagedImage]) -> Iterator[_Item]:
    for item in items:
        if isinstance(item, DamagedImage):
            damaged.append(item)
        else:
            yield item


def _swap(items: Iterable[_Item], predictor: Swapper, batch_size: int) -> Iterator[_Item]:
    """Items with their predictions; frames without a face do not wait for a batch to fill."""
    group: list[_Item] = []
    for item in items:
        if not item.crops:
            yield item
            continue
        group.append(item)
        if sum(len(member.crops) for member in group) >= batch_size:
            yield from _predict(group, predictor, batch_size)
            group = []
    yield from _predict(group, predictor, batch_size)


def _predict(group: Sequence[_Item], predictor: Swapper, batch_size: int) -> Iterator[_Item]:
    crops = [crop for item in group for crop in item.crops]
    starts = range(0, len(crops), batch_size)
    answers = iter([one for start in starts for one in _full(predictor, crops, start, batch_size)])
    for item in group:
        yield replace(item, predictions=tuple(islice(answers, len(item.crops))))


def _full(predictor: Swapper, crops: Sequence[Image], start: int, batch_size: int) -> list[Prediction]:
    """The answers to a batch, filled up where crops are few.

    Libraries choose other kernels for other sizes, whose sums differ in the last bit: a frame that is merged
    again on its own must come out as it does among others.
    """
    batch = crops[start : start + batch_size]
    filler = [batch[0]] * (batch_size - len(batch))
    return predictor([*batch, *filler])[: len(batch)]


def _finish(item: _Item, face_type: FaceType, resolution: int, paths: tuple[Path, Path]) -> Task:
    """Render a frame and write it; the picture comes last, so that it is never without its mask."""
    task = item.task
    picture, mask = render(item.frame, task.faces, item.predictions, face_type, task.settings, resolution)
    write_mask(paths[1], mask)
    if is_untouched(task.faces, task.settings) and task.frame.suffix.lower() == ".png":
        with atomic_path(paths[0]) as temporary:
            shutil.copyfile(task.frame, temporary)
    else:
        write_image(paths[0], picture)
    return task
