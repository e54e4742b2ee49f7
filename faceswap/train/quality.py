"""How good a model is: figures of faces that it has never been trained on.

A perceptual figure such as LPIPS is left out: it needs a network of photographs that is not bundled.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.align.analysis import embed
from faceswap.align.answers import NoAnswer
from faceswap.align.packs import Pack, load_pack
from faceswap.align.placing import place
from faceswap.console import say
from faceswap.geometry.boxes import box_from_landmarks
from faceswap.geometry.geometry import HEAD_MODEL, apply_transform, crop_transform
from faceswap.geometry.landmarks import outer_eye_distance
from faceswap.io.documents import Count, Finite, read_lines
from faceswap.io.files import write_bytes
from faceswap.train.data.samples import SampleStore
from faceswap.train.preview import PreviewFaces
from faceswap.train.update.steps import TrainStep
from faceswap.types import FaceType, Frame, Image, Points

# A frontal head large enough that no crop of it is an enlargement.
_HEAD_PX = 4.0


class FaceReader:
    """Knows where the face lies in a crop, so nothing has to be found."""

    def __init__(self, pack: Pack, face_type: FaceType) -> None:
        self._pack, self._face_type = pack, face_type

    @classmethod
    def load(cls, pack: str, face_type: FaceType) -> Self:
        """From the pack called `pack`. UserError where it is missing; ImportError without its libraries."""
        return cls(load_pack(pack), face_type)

    @property
    def knows_people(self) -> bool:
        """Whether the pack has a recogniser."""
        return self._pack.recogniser is not None

    def landmarks(self, crop: Frame) -> Points:
        """(68, 2) in pixels of an aligned crop, (R, R, 3) uint8; NoAnswer where they are of no use."""
        typical = _typical_landmarks(crop.shape[0], self._face_type)
        return place(self._pack, crop, box_from_landmarks(typical), 0).landmarks

    def embedding(self, crop: Frame, landmarks: Points) -> NDArray[np.float32]:
        """(D,) of length 1; only where the reader `knows_people`. NoAnswer where it is of no use."""
        vector = embed(self._pack, crop, landmarks)
        if vector is None:
            raise NoAnswer(f"the recogniser of {self._pack.folder} gives no vector")
        return vector / max(float(np.linalg.norm(vector)), 1e-6)


def _typical_landmarks(size_px: int, face_type: FaceType) -> Points:
    """Where the mean head's landmarks lie in a crop."""
    head = (_HEAD_PX * HEAD_MODEL[:, :2]).astype(np.float32)
    return apply_transform(crop_transform(head, size_px, face_type), head).astype(np.float32)


_AT_ONCE = 8
_WHO_FACES = 16


@dataclass(frozen=True)
class Figures:
    """psnr (dB) and ssim of dst's reconstruction, inside dst's masks.

    landmarks: distance between those of the swap, laid into dst, and dst's own ÷ dst's outer-eye distance;
    small where pose and expression are kept. identity_src, identity_dst: cosine between the swap's embedding
    and the mean one of src's faces, and that of the dst face it lies in. None: no pack that can tell.
    """

    iteration: Count
    psnr: Finite
    ssim: Finite
    landmarks: Finite | None = None
    identity_src: Finite | None = None
    identity_dst: Finite | None = None

    @property
    def error(self) -> float:
        """What is to fall: 1 − SSIM."""
        return 1 - self.ssim

    def __str__(self) -> str:
        text = f"PSNR {self.psnr:.2f} dB, SSIM {self.ssim:.4f}"
        if self.landmarks is not None:
            text += f", landmarks off by {self.landmarks:.2%} of the eyes' distance"
        if self.identity_src is not None:
            text += f", like src {self.identity_src:.3f}, like dst {self.identity_dst:.3f}"
        return text


class Judge:
    """Measures a model on held-back dst faces; reader: None where no pack can be used."""

    def __init__(self, held: SampleStore, src: SampleStore, reader: FaceReader | None) -> None:
        self._dst, self._reader = held.spread(len(held)), reader
        self._src = src.spread(_WHO_FACES)
        self._src_known: NDArray[np.float32] | None = None

    def measure(self, step: TrainStep, iteration: int) -> Figures:
        """The model's figures as it is now."""
        errors, likenesses, readings = [], [], []
        for start in range(0, len(self._dst), _AT_ONCE):
            dst = self._dst[start : start + _AT_ONCE]
            src = self._src[np.arange(len(dst)) % len(self._src)]
            faces = step.preview(src, dst)
            masks = dst[..., 3].astype(np.float32) / 255
            for made, wanted, mask in zip(faces.dst_dst, faces.dst, masks, strict=True):
                errors.append(masked_mean((made - wanted) ** 2, mask))
                likenesses.append(masked_mean(ssim_map(made, wanted), mask))
            readings += list(self._read(faces))
        psnr = -10 * np.log10(max(float(np.mean(errors)), 1e-10))
        figures: list[float | None] = [None, None, None]
        if readings:
            columns = np.array(readings, np.float64)
            figures = [None if np.isnan(column).any() else float(column.mean()) for column in columns.T]
        return Figures(iteration, float(psnr), float(np.mean(likenesses)), *figures)

    def _read(self, faces: PreviewFaces) -> Iterator[tuple[float, float, float]]:
        """Landmark error and likeness to src and to dst of every swap, nan where the pack cannot tell."""
        if self._reader is None:
            return
        for swap, dst in zip(map(_bytes, faces.columns()[-1]), map(_bytes, faces.dst), strict=True):
            off = like_src = like_dst = np.nan
            # A pack that has no answer about a face is no reason to end a training.
            with suppress(NoAnswer):
                there, here = self._reader.landmarks(swap), self._reader.landmarks(dst)
                off = float(np.linalg.norm(there - here, axis=1).mean()) / max(outer_eye_distance(here), 1e-6)
                if self._reader.knows_people:
                    vector = self._reader.embedding(swap, there)
                    like_src = float(vector @ self._src_identity(self._reader))
                    like_dst = float(vector @ self._reader.embedding(dst, here))
            yield off, like_src, like_dst

    def yardstick(self) -> tuple[float, float] | None:
        """How like src its own faces are, and dst's: what the swap's likeness is to be seen by.

        None where the pack cannot tell.
        """
        if self._reader is None or not self._reader.knows_people:
            return None
        who = self._src_identity(self._reader)
        try:
            own, others = (
                self._src_embeddings(self._reader),
                _embeddings(self._reader, self._dst[:_WHO_FACES]),
            )
        except NoAnswer:
            return None
        return float((own @ who).mean()), float((others @ who).mean())

    def _src_embeddings(self, reader: FaceReader) -> NDArray[np.float32]:
        if self._src_known is None:
            self._src_known = _embeddings(reader, self._src)
        return self._src_known

    def _src_identity(self, reader: FaceReader) -> NDArray[np.float32]:
        mean = self._src_embeddings(reader).mean(axis=0)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-6), np.float32)


def _embeddings(reader: FaceReader, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, D) of faces (N, R, R, 4)."""
    crops = [np.ascontiguousarray(face[..., :3]) for face in faces]
    return np.stack([reader.embedding(crop, reader.landmarks(crop)) for crop in crops])


def make_judge(held: SampleStore | None, src: SampleStore, pack: str, face_type: FaceType) -> Judge | None:
    """A judge for the held-back faces, None without any. pack: name of a face-model pack.

    Says what cannot be measured. Raises UserError where the pack is missing.
    """
    if held is None:
        say("too few dst faces to hold some back: how good the model is will not be measured")
        return None
    try:
        reader = FaceReader.load(pack, face_type)
    except ImportError as error:
        say(f"landmarks and likeness are not measured: {error}")
        return Judge(held, src, None)
    say(f"{len(held)} dst faces are held back to measure with; {_known(reader)}")
    judge = Judge(held, src, reader)
    if likeness := judge.yardstick():
        say("likeness to src: {:.3f} of its own faces, {:.3f} of dst's".format(*likeness))
    return judge


def _known(reader: FaceReader) -> str:
    if reader.knows_people:
        return "the pack tells landmarks and likeness"
    return "the pack tells landmarks, but not people: for likeness name one with a recogniser, --face-models"


class Track:
    """The figures over time, in memory and as lines of quality.jsonl."""

    def __init__(self, path: Path, iteration: int) -> None:
        """Read what `path` holds up to `iteration`; what a killed run was ahead of that is dropped."""
        self._path = path
        self.figures = [one for one in read_lines(path, Figures) if one.iteration <= iteration]

    def add(self, figures: Figures) -> bool:
        """Append; returns whether no figure before was as good."""
        best = all(figures.error < other.error for other in self.figures)
        self.figures.append(figures)
        with suppress(OSError):  # a full disk: the next measurement writes them all
            lines = [json.dumps(asdict(entry)) + "\n" for entry in self.figures]
            write_bytes(self._path, "".join(lines).encode())
        return best

    def cut(self, iteration: int) -> None:
        """Forget what came after `iteration`."""
        self.figures = [figures for figures in self.figures if figures.iteration <= iteration]

    def errors_since(self, iteration: int) -> list[float]:
        """Errors of the figures after `iteration`, oldest first."""
        return [figures.error for figures in self.figures if figures.iteration > iteration]


def ssim_map(made: Image, wanted: Image) -> Image:
    """(H, W, 3) SSIM of two images in [0, 1] (Wang et al. 2004, eq. 13: Gaussian 11×11, σ 1.5)."""

    def blur(image: Image) -> Image:
        return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5), np.float32)

    c1, c2 = 0.01**2, 0.03**2
    mean_a, mean_b = blur(made), blur(wanted)
    variance = blur(made * made) + blur(wanted * wanted) - mean_a**2 - mean_b**2
    covariance = blur(made * wanted) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return np.asarray(luminance * (2 * covariance + c2) / (variance + c2), np.float32)


def masked_mean(values: Image, mask: NDArray[np.float32]) -> float:
    """Mean of (H, W, 3) weighted by a mask (H, W); of everything where the mask is empty."""
    weights = mask if mask.any() else np.ones_like(mask)
    return float((values.mean(axis=-1) * weights).sum() / weights.sum())


def _bytes(face: Image) -> Frame:
    return np.rint(np.clip(face, 0, 1) * 255).astype(np.uint8)
