"""Light and masks that do not tremble: each face's are averaged with those it has in the frames beside it.

A colour transfer takes the light of a frame from what it sees of the face there; a mask that trembles, an eye
that closes or a compressed frame changes that a little from frame to frame, and the swap with it. So do the
model's masks. Both are measured once for every face (pass one), and averaged over its track when the frame is
composited (pass two), with weights

    w_i = exp(−2 (i / n)²) · exp(−½ (x_i − x_0)² / σ²),    −n ≤ i ≤ n frames:

a bilateral filter along time (Tomasi, Manduchi, "Bilateral filtering for gray and color images", ICCV 1998).
It is symmetric, so nothing lags, and what really changes is kept: a lamp that is switched on, a hand before
the face. Light is mean and spread of the frame's red, green and blue within the hull of the landmarks; the
frame is stretched and moved to their averages before any transfer looks at it. (A map of whole covariances
would stretch noise: skin's has a least eigenvalue near nothing, and eight times that in the frame beside.)
Masks are averaged pixel by pixel in the crop, which moves with the face.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.color.matching import Moment, moments
from faceswap.geometry.geometry import apply_transform, crop_transform
from faceswap.geometry.landmarks import hull_mask
from faceswap.geometry.tracks import Spot
from faceswap.geometry.warp import visible
from faceswap.io.arrays import map_array
from faceswap.io.documents import DocumentError
from faceswap.io.files import atomic_path, require_free_space
from faceswap.merge.keyframes import FrameSettings
from faceswap.merge.masks import Prediction
from faceswap.merge.plan import ClipFaces, Task
from faceswap.merge.render import Subject
from faceswap.merge.settings import MergeSettings
from faceswap.types import FaceType, Frame, Image, Mask

# σ: of colours, ten levels of 255; of masks, three tenths of the way from frame to face. Trembling stays
# below them, on the evaluation clips by a factor of 5 and more; a hand or a lamp is far above.
_LIGHT_SIGMA, _MASK_SIGMA = 10 / 255, 0.3
_LIKENESS = np.exp(-0.5 * (np.arange(256) / (255 * _MASK_SIGMA)) ** 2).astype(np.float32)
_PREFIX = "steady-"
# The model's; those of `face_masks` are smoothed by stages.mask_apply, which looks at the pictures as well.
_MASKS = ("mask_prd", "mask_dst")


class ClipMeasures:
    """What pass one has measured of the faces of a clip, in files under `folder`, and the averages over it.

    A face is measured when it is first needed; files are those of one model and one clip, and what is in
    them stays. model: changes whenever the model's answers may. origin: the same for the frames, where those
    are no files; files are told by size and time.
    """

    def __init__(
        self, clip: ClipFaces, model: str, face_type: FaceType, folder: Path, origin: str = ""
    ) -> None:
        self._clip, self._face_type, self._parent = clip, face_type, folder
        self._model, self._origin = model, origin

    def missing(self, tasks: Iterable[Task]) -> list[Task]:
        """The frames that must be measured (see `keep`) before these can be rendered, as tasks."""
        needed = {spot for task in tasks for face in task.faces for spot in face.near}
        frames = {spot[0] for spot in needed if not self.is_measured(spot)}
        # The base settings swap every face and ask for no neighbours.
        return [
            self._clip.task(index, FrameSettings(MergeSettings(), {}), self._model)
            for index in sorted(frames)
        ]

    def keep(
        self, task: Task, frame: Frame, crops: Sequence[Image], predictions: Sequence[Prediction]
    ) -> None:
        """Measure all faces of a frame. task: from `missing`; crops, predictions: of its faces."""
        index = self._clip.index(task.stem)
        for number, (crop, prediction) in enumerate(zip(crops, predictions, strict=True)):
            row = self._rows[index, number]
            masks = {name: getattr(prediction, name) for name in _MASKS}
            for name, mask in masks.items():
                if mask is not None:
                    self._store(name, len(mask))[row] = np.rint(mask * 255)
            # Last: it is what tells that a face is measured.
            self._light[row] = self._light_of(frame, task.faces[number], crop)

    def steadied(
        self, subject: Subject, prediction: Prediction, settings: MergeSettings
    ) -> tuple[Subject, Prediction]:
        """A measured face with the light and the masks that its neighbours agree on."""
        tone = self._tone(subject, settings.smooth_color) if settings.smooth_color else None
        masks = self.masks(subject, settings.smooth_mask) if settings.smooth_mask else {}
        # Neighbours are measured as src altogether; a face between the two has another mask.
        if settings.morph != 1:
            masks.pop("mask_prd", None)
        return subject._replace(tone=tone), prediction._replace(**masks)

    def light(self, subject: Subject, reach: int) -> Moment:
        """(6,) means and spreads of red, green and blue of a measured face, averaged over `reach` frames."""
        own = self._light[self._rows[subject.spot]]
        if not reach:
            return np.asarray(own)
        rows, weights = self._near(subject, reach)
        beside = np.asarray(self._light[rows])
        weights = weights * np.exp(-0.5 * ((beside[:, :3] - own[:3]) ** 2).sum(1) / _LIGHT_SIGMA**2)
        return np.asarray(weights @ beside / weights.sum())

    def masks(self, subject: Subject, reach: int) -> dict[str, Mask]:
        """The masks of a measured face by their names in `Prediction`, averaged over `reach` frames."""
        return {name: self._mask(stored, subject, reach) for name, stored in self._masks.items()}

    # -- pass one ------------------------------------------------------------------------------------

    def _light_of(self, frame: Frame, subject: Subject, crop: Image) -> NDArray[np.float64]:
        side = len(crop)
        frame_to_face = crop_transform(subject.landmarks, side, self._face_type)
        hull = hull_mask(apply_transform(frame_to_face, subject.landmarks).astype(np.float32), side, side)
        weights = hull * visible(frame.shape[0], frame.shape[1], frame_to_face, side)
        mean, covariance = moments(crop, weights if weights.any() else None)
        # A face of one colour has no spread to compare with.
        return np.concatenate([mean, np.sqrt(np.maximum(np.diag(covariance), 1e-6))])

    # -- pass two ------------------------------------------------------------------------------------

    def _near(self, subject: Subject, reach: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows of the measured faces at most `reach` frames away, and their weights by distance."""
        here = subject.spot[0]
        spots = [s for s in subject.near if abs(s[0] - here) <= reach and self.is_measured(s)]
        distances = np.array([spot[0] - here for spot in spots], np.float64)
        return np.array([self._rows[spot] for spot in spots]), np.exp(-2 * (distances / reach) ** 2)

    def _tone(self, subject: Subject, reach: int) -> Moment:
        """(2, 3): gains and offsets of the frame's colours that give the face the averaged light."""
        own, average = self.light(subject, 0), self.light(subject, reach)
        gain = average[3:] / own[3:]
        return np.stack([gain, average[:3] - gain * own[:3]])

    def _mask(self, stored: NDArray[np.uint8], subject: Subject, reach: int) -> Mask:
        own = stored[self._rows[subject.spot]]
        if not reach:
            return np.asarray(own / np.float32(255))
        rows, weights = self._near(subject, reach)
        total = np.zeros(own.shape, np.float32)
        share = np.zeros(own.shape, np.float32)
        for row, weight in zip(rows, weights.astype(np.float32), strict=True):
            other = stored[row]
            alike = _LIKENESS[np.maximum(own, other) - np.minimum(own, other)] * weight
            total += alike * other
            share += alike
        return np.minimum(total / (share * np.float32(255)), np.float32(1))

    # -- what is kept --------------------------------------------------------------------------------

    @cached_property
    def _rows(self) -> dict[Spot, int]:
        spots = [(index, n) for index, faces in enumerate(self._clip.faces) for n in range(len(faces))]
        return {spot: row for row, spot in enumerate(spots)}

    @cached_property
    def _folder(self) -> Path:
        """Of this model and this clip; those of others are removed, they can be measured again."""
        folder = self._parent / f"{_PREFIX}{self._key()}"
        for other in self._parent.glob(f"{_PREFIX}*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        if self._is_damaged(folder):
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _key(self) -> str:
        digest = hashlib.sha256(json.dumps([1, self._model, self._origin]).encode())
        for path, faces in zip(self._clip.frames, self._clip.faces, strict=True):
            stat = path.stat() if path.is_file() else None
            digest.update(repr((path.name, stat and (stat.st_size, stat.st_mtime_ns))).encode())
            for points in faces:
                digest.update(np.ascontiguousarray(points).tobytes())
        return digest.hexdigest()[:16]

    @cached_property
    def _light(self) -> NDArray[np.float64]:
        """(N, 6): see `light`; 0 where a face is not measured, which no spread is."""
        return self._open("light", (len(self._rows), 6), np.float64)

    def is_measured(self, spot: Spot) -> bool:
        """Whether a face is known, so that it can be smoothed, and others with it."""
        return bool(self._light[self._rows[spot]].any())

    @cached_property
    def _masks(self) -> dict[str, NDArray[np.uint8]]:
        """(N, side, side) by name: the masks of all faces, those that a model has."""
        return self._stored_masks(self._folder)

    def _stored_masks(self, folder: Path) -> dict[str, NDArray[np.uint8]]:
        files = {name: folder / f"{name}.npy" for name in _MASKS}
        shape = (len(self._rows), None, None)
        return {
            name: map_array(path, np.uint8, shape, "r+") for name, path in files.items() if path.is_file()
        }

    def _is_damaged(self, folder: Path) -> bool:
        """Whether what is there is not what this measured: light tells which of the masks are there, too."""
        try:
            self._stored_masks(folder)
            if (folder / "light.npy").is_file():
                map_array(folder / "light.npy", np.float64, (len(self._rows), 6))
        except DocumentError:
            return True
        return False

    def _store(self, name: str, side: int) -> NDArray[np.uint8]:
        if name not in self._masks:
            self._masks[name] = self._open(name, (len(self._rows), side, side), np.uint8)
        return self._masks[name]

    def _open(self, name: str, shape: tuple[int, ...], kind: type) -> NDArray[Any]:
        path = self._folder / f"{name}.npy"
        if path.is_file():
            return map_array(path, kind, shape, "r+")
        bytes_ = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        require_free_space(self._folder, bytes_, f"the light and the masks of {shape[0]} faces")
        with atomic_path(path) as temporary:
            np.lib.format.open_memmap(temporary, mode="w+", dtype=kind, shape=shape)
        return map_array(path, kind, shape, "r+")


def steadied(
    measures: ClipMeasures | None,
    subjects: Sequence[Subject],
    predictions: Sequence[Prediction],
    settings: MergeSettings,
) -> tuple[list[Subject], list[Prediction]]:
    """The faces of a frame, each with the light and the masks that its neighbours agree on where asked for.

    Raises ValueError where that is asked for and the frame was not measured.
    """
    faces, answers = list(subjects), list(predictions)
    for number, face in enumerate(subjects):
        if face.near:
            if measures is None or not measures.is_measured(face.spot):
                raise ValueError(f"frame {face.spot[0]} must be measured before it is smoothed")
            faces[number], answers[number] = measures.steadied(face, predictions[number], settings)
    return faces, answers
