"""A frame as it will be, soon: at the size it is shown in, and in the ways it is looked at.

What a setting changes comes after the model, so a prediction serves every look of its frame.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar, cast, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.geometry.warp import crop_face
from faceswap.io.images import DamagedImage, as_uint8, read_image
from faceswap.merge.face_masks import look_at, needs_own, needs_segmenter, with_masks
from faceswap.merge.keyframes import FrameSettings
from faceswap.merge.masks import Prediction
from faceswap.merge.plan import ClipFaces, Task
from faceswap.merge.render import Subject, render
from faceswap.merge.run import Swapper
from faceswap.merge.settings import MergeSettings
from faceswap.merge.steady import ClipMeasures, steadied
from faceswap.types import Frame, Image, Mask, Points

Picture = NDArray[np.uint8]
T = TypeVar("T")
Array = TypeVar("Array", bound=NDArray[Any])

# A 4K frame has 25 MB; predictions of a model of 256 px have 1.3 MB each, masks for a look half of that.
_FRAMES_KEPT, _SMALL_KEPT, _PREDICTIONS_KEPT, _MASKS_KEPT = 4, 48, 160, 80


class Shown(NamedTuple):
    """original, result: (h, w, 3) uint8 of one size; mask (h, w); scale: their pixels per frame pixel.

    faces: landmarks of every face, in their pixels.
    """

    original: Picture
    result: Picture
    mask: Mask
    faces: tuple[Points, ...]
    scale: float


class Kept(Generic[T]):
    """The values of the last `most` keys; what is asked for twice at once is made once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made where it is not kept; errors of `make` are raised and not kept."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key]
            value = make()
            with self._lock:
                self._values[key] = value
                while len(self._values) > self._most:
                    old, _ = self._values.popitem(last=False)
                    self._making.pop(old, None)
            return value


class Previewer:
    """Pictures of any frame in any look; may be asked from several threads."""

    def __init__(self, clip: ClipFaces, predictor: Swapper) -> None:
        self._clip, self._predictor = clip, predictor
        self._frames: Kept[Frame] = Kept(_FRAMES_KEPT)
        self._small: Kept[tuple[Picture, float]] = Kept(_SMALL_KEPT)
        self._predictions: Kept[list[Prediction]] = Kept(_PREDICTIONS_KEPT)
        self._masks: Kept[list[Prediction]] = Kept(_MASKS_KEPT)
        # Apart from the merge's own: batches of another size differ in their last bits.
        self._scratch = TemporaryDirectory(prefix="faceswap-")
        self._measures = ClipMeasures(clip, "preview", predictor.face_type, Path(self._scratch.name))
        self._measuring = threading.Lock()

    def show(self, index: int, look: FrameSettings, limit_px: int | None = None) -> Shown:
        """Frame `index` in `look`, its longer side at most `limit_px`; without a limit as it will be written.

        Raises DamagedImage where the frame cannot be read. (Filters that count the frame's pixels, such as
        denoising, look stronger in a smaller picture.)
        """
        predictions = self._predicted(index, look.settings.morph)
        original, scale = self._sized(index, limit_px)
        chosen = self._clip.subjects(index, look)
        subjects = [_scaled(subject, scale) for subject in chosen.values()]
        face_type, size = self._predictor.face_type, self._predictor.resolution
        self._measure(subjects)
        answers = self._masked(index, look, chosen, [predictions[number] for number in chosen])
        subjects, answers = steadied(self._measures, subjects, answers, look.settings)
        enhancer = self._predictor.enhancer
        result, mask = render(original, subjects, answers, face_type, look.settings, size, enhancer)
        faces = tuple(_points(points, scale) for points in self._clip.faces[index])
        height, width = original.shape[:2]
        return Shown(
            as_uint8(original),
            _boxed(as_uint8(result), height, width),
            _boxed(mask, height, width),
            faces,
            scale,
        )

    def prepare(self, index: int, look: FrameSettings, limit_px: int | None = None) -> None:
        """Do what takes long for a frame: decode it and ask the model."""
        self._predicted(index, look.settings.morph)
        self._sized(index, limit_px)

    def _masked(
        self, index: int, look: FrameSettings, chosen: Mapping[int, Subject], answers: list[Prediction]
    ) -> list[Prediction]:
        """The predictions of faces with the masks that the look needs besides the model's."""
        mode, morph = look.settings.mask_mode, look.settings.morph
        if not needs_own(mode) and not needs_segmenter(mode):
            return answers

        def make() -> list[Prediction]:
            sights = look_at(self._frame(index), list(chosen.values()), mode, self._predictor)
            return with_masks(sights, answers, self._predictor, max(1, len(answers)))

        return self._masks.get((index, mode, morph, tuple(chosen)), make)

    def _measure(self, subjects: Sequence[Subject]) -> None:
        """Look at the frames around, where the faces' light and masks are smoothed over them."""
        task = Task(Path(), tuple(subjects), MergeSettings(), "")
        with self._measuring:
            for near in self._measures.missing([task]):
                index = self._clip.index(near.stem)
                with suppress(DamagedImage):
                    frame, answers = self._frame(index), self._predicted(index, near.settings.morph)
                    self._measures.keep(near, frame, self._crops(index), answers)

    def _crops(self, index: int) -> list[Image]:
        size, face_type = self._predictor.resolution, self._predictor.face_type
        return [crop_face(self._frame(index), face, size, face_type) for face in self._clip.faces[index]]

    def _frame(self, index: int) -> Frame:
        return self._frames.get(index, lambda: read_image(self._clip.frames[index]))

    def _sized(self, index: int, limit_px: int | None) -> tuple[Frame, float]:
        if limit_px is None:
            return self._frame(index), 1.0

        def make() -> tuple[Picture, float]:
            frame = self._frame(index)
            scale = min(1.0, limit_px / max(frame.shape[:2]))
            size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
            small = frame if scale == 1 else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            return as_uint8(small), scale

        return self._small.get((index, limit_px), make)

    def _predicted(self, index: int, morph: float) -> list[Prediction]:
        if not self._clip.faces[index]:
            return []

        def make() -> list[Prediction]:
            crops = self._crops(index)
            return self._predictor(crops, [morph] * len(crops))

        return self._predictions.get((index, morph), make)


def _boxed(picture: Array, height: int, width: int) -> Array:
    """The picture, as large as fits, in the middle of a black one: the model's own has a size of its own."""
    if picture.shape[:2] == (height, width):
        return picture
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    fitted = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    boxed = np.zeros((height, width, *picture.shape[2:]), picture.dtype)
    top, left = (height - fitted.shape[0]) // 2, (width - fitted.shape[1]) // 2
    boxed[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    return cast(Array, boxed)


def _scaled(subject: Subject, scale: float) -> Subject:
    motion = subject.motion and (subject.motion[0] * scale, subject.motion[1] * scale)
    return subject._replace(landmarks=_points(subject.landmarks, scale), motion=motion)


def _points(points: Points, scale: float) -> Points:
    """Points counted from pixel centres in a picture of another size."""
    return np.asarray((points + 0.5) * scale - 0.5, np.float32)


View: TypeAlias = Literal["result", "original", "wipe", "side by side", "mask"]
VIEWS: tuple[View, ...] = get_args(View)
# As DeepFaceLab shows what is transparent (deepfacelab.md §11.8).
_CELL_PX, _KEPT, _LIGHT = 5, 0.75, 64


def picture(shown: Shown, view: View, checkerboard: bool) -> Picture:
    """What the view shows, (h, w, 3), or twice as wide side by side; the wipe's right side is the result."""
    if view == "original":
        return shown.original
    if view == "mask":
        grey = np.rint(shown.mask * 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    result = over_checkerboard(shown.result, shown.mask) if checkerboard else shown.result
    return np.concatenate((shown.original, result), axis=1) if view == "side by side" else result


def over_checkerboard(picture: Picture, mask: Mask) -> Picture:
    """image · 0.75 + 64 · checker · (1 − alpha), in cells of 5 px (deepfacelab.md §11.8)."""
    rows, columns = (np.arange(length) // _CELL_PX % 2 for length in picture.shape[:2])
    checker: NDArray[np.float32] = (rows[:, None] ^ columns).astype(np.float32)
    mixed = picture * np.float32(_KEPT) + (_LIGHT * checker * (1 - mask))[..., None]
    return np.asarray(np.rint(mixed), np.uint8)
