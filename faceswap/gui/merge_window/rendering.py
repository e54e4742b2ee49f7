"""Frames written while the window is open, what state each is in, and thumbnails of them."""

import threading
from collections.abc import Iterable, Sequence
from functools import partial

import cv2
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from faceswap.errors import UserError
from faceswap.gui.app import to_image
from faceswap.gui.background import Ahead, Newest
from faceswap.gui.merge_window.timeline import Status
from faceswap.io.images import DamagedImage, as_uint8, read_image
from faceswap.merge.keyframes import FrameSettings, Keyframes
from faceswap.merge.plan import ClipFaces, Task, plan
from faceswap.merge.record import Record
from faceswap.merge.run import Merger, merge

_THUMBNAIL_PX = 160


class Rendering(QObject):
    """merged: a frame was written; checked: `statuses` is new; ended: a run is, with what went wrong."""

    merged = Signal(int)
    checked = Signal()
    ended = Signal(str)

    def __init__(self, clip: ClipFaces, merger: Merger, model: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clip, self._merger, self._model = clip, merger, model
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._checks = Newest(self)
        self._checks.done.connect(self._take)
        # Of a frame, the look that was asked about and the answer.
        self._known: dict[int, tuple[FrameSettings, Status]] = {}
        self.statuses: list[Status] = ["pending"] * len(clip.frames)
        self.merged.connect(self._note)

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def check(self, looks: Keyframes) -> None:
        """Find out which frames are written as `looks` says; `checked` tells when."""
        self._checks.ask(None, lambda: self._status_of_all(looks))

    def start(self, looks: Keyframes, first: int) -> None:
        """Write what is not written yet, from frame `first` on and then from the start."""
        if self.is_running:
            return
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(looks, first), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the frames in work."""
        self._stop.set()

    def close(self) -> None:
        """End, and wait for it."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
        self._checks.close()

    def _run(self, looks: Keyframes, first: int) -> None:
        told = ""
        try:
            tasks = plan(self._clip, self._model, looks)
            # What nobody merged here is never written over from a window.
            todo = self._merger.record.begin([*tasks[first:], *tasks[:first]], "own")
            summary = merge(todo, self._merger, finished=self._finished)
            told = "\n".join(f"{damage.path.name}: {damage.reason}" for damage in summary.damaged)
        except (UserError, OSError, ValueError) as error:
            told = str(error)
        self.ended.emit(told)

    def _finished(self, task: Task) -> bool:
        self.merged.emit(self._clip.index(task.stem))
        return not self._stop.is_set()

    def _note(self, frame: int) -> None:
        self.statuses[frame] = "done"
        self._known.pop(frame, None)

    def _status_of_all(self, looks: Keyframes) -> list[Status]:
        statuses = []
        for index in range(len(self._clip.frames)):
            look = looks.at(index)
            known = self._known.get(index)
            if known is None or known[0] != look:
                known = (look, self._status(index, look))
                self._known[index] = known
            statuses.append(known[1])
        return statuses

    def _status(self, index: int, look: FrameSettings) -> Status:
        task, record = self._clip.task(index, look, self._model), self._merger.record
        if record.is_done(task):
            return "done"
        return "changed" if record.outputs(task.stem)[0].is_file() else "pending"

    def _take(self, _tag: object, statuses: list[Status]) -> None:
        self.statuses = statuses
        self.checked.emit()


class Thumbnails(QObject):
    """made: frame and its small picture, the merged one where there is one."""

    made = Signal(int, QImage)

    def __init__(self, clip: ClipFaces, record: Record, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clip, self._record = clip, record
        self._jobs = Ahead(self)

    def ask(self, frames: Iterable[int], statuses: Sequence[Status]) -> None:
        """Make the thumbnails of these frames, instead of those that were asked for before."""
        self._jobs.give([partial(self._make, frame, statuses[frame] == "done") for frame in frames])

    def close(self) -> None:
        self._jobs.close()

    def _make(self, frame: int, is_merged: bool) -> None:
        path = self._clip.frames[frame]
        try:
            picture = as_uint8(read_image(self._record.outputs(path.stem)[0] if is_merged else path))
        except (DamagedImage, OSError):
            return
        scale = _THUMBNAIL_PX / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        self.made.emit(frame, to_image(small))
