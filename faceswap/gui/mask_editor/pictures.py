"""Crops and thumbnails of a set, read when they are wanted and kept while they are near."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from faceswap.errors import UserError
from faceswap.faceset.store import Face, read_face
from faceswap.gui.app import to_image
from faceswap.gui.background import Ahead
from faceswap.gui.mask_editor.strip import THUMB_PX
from faceswap.io.images import as_uint8

_CROPS, _THUMBNAILS = 24, 500

T = TypeVar("T")


class Recent(Generic[T]):
    """The last `most` values that were put in or asked for, by number; safe between threads."""

    def __init__(self, most: int) -> None:
        self._most, self._values, self._lock = most, OrderedDict[int, T](), threading.Lock()

    def get(self, number: int) -> T | None:
        with self._lock:
            if number in self._values:
                self._values.move_to_end(number)
            return self._values.get(number)

    def put(self, number: int, value: T) -> None:
        with self._lock:
            self._values[number] = value
            self._values.move_to_end(number)
            while len(self._values) > self._most:
                self._values.popitem(last=False)

    def drop(self, number: int) -> None:
        with self._lock:
            self._values.pop(number, None)


class Pictures(QObject):
    """made: the thumbnail of a face is there."""

    made = Signal(int)

    def __init__(self, faces: Sequence[Face], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._faces = faces
        self._crops: Recent[NDArray[np.uint8]] = Recent(_CROPS)
        self._thumbnails: Recent[QImage] = Recent(_THUMBNAILS)
        self._ahead = Ahead(self)

    def crop(self, number: int) -> NDArray[np.uint8]:
        """The picture of a face, (size_px, size_px, 3) uint8. Raises UserError or OSError."""
        known = self._crops.get(number)
        if known is None:
            crop, meta = read_face(self._faces[number].path)
            known = as_uint8(crop)
            if known.shape[:2] != (meta.size_px, meta.size_px):
                known = cv2.resize(known, (meta.size_px, meta.size_px), interpolation=cv2.INTER_AREA)
            self._crops.put(number, known)
        return known

    def thumbnails(self, numbers: Iterable[int | None]) -> dict[int, QImage]:
        """Those that are there; `prepare` makes the others."""
        found = {number: self._thumbnails.get(number) for number in numbers if number is not None}
        return {number: image for number, image in found.items() if image is not None}

    def prepare(self, numbers: Iterable[int]) -> None:
        """Read these faces beside the window, the first one first, instead of those asked for before."""
        self._ahead.give([partial(self._prepare, number) for number in numbers])

    def forget(self, number: int) -> None:
        """Another program has changed a file."""
        self._crops.drop(number)
        self._thumbnails.drop(number)

    def close(self) -> None:
        self._ahead.close()

    def _prepare(self, number: int) -> None:
        try:
            crop = self.crop(number)
        except (UserError, OSError):
            return
        if self._thumbnails.get(number) is None:
            small = cv2.resize(crop, (THUMB_PX, THUMB_PX), interpolation=cv2.INTER_AREA)
            self._thumbnails.put(number, to_image(small))
            self.made.emit(number)
