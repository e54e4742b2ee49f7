"""Scores for crops: batched, calibrated, with the map of what looks foreign."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from faceswap.detector.model import FAKE, Detector, to_pixels

BATCH = 64


class Verdict(NamedTuple):
    """logit: fake's less real's, uncalibrated. score: P(fake) in [0, 1]. patches: (G, G) in [0, 1]."""

    logit: float
    score: float
    patches: NDArray[np.float32]


class Judge:
    """A detector that is ready to judge crops of any size."""

    def __init__(
        self,
        detector: Detector,
        temperature: float = 1.0,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.detector = detector.to(self.device).eval()
        self.temperature, self.dtype = temperature, dtype

    def __call__(self, crops: Iterable[NDArray[np.uint8]], batch: int = BATCH) -> Iterator[Verdict]:
        """Verdicts of (S, S, 3) uint8 crops, in order; holds one batch of them at a time."""
        crops = iter(crops)
        while chunk := list(islice(crops, batch)):
            yield from self._judge(chunk)

    @torch.inference_mode()
    def _judge(self, crops: list[NDArray[np.uint8]]) -> list[Verdict]:
        stacked = np.stack([fit(crop, self.detector.input_px) for crop in crops])
        pixels = to_pixels(torch.from_numpy(stacked).to(self.device))
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32):
            judged = self.detector(pixels)
        logits = judged.logits.float()
        margins = logits[:, FAKE] - logits[:, 1 - FAKE]
        scores = torch.sigmoid(margins / self.temperature)
        patches = torch.sigmoid(judged.patch_logits.float()).cpu().numpy()
        return [
            Verdict(margin, score, patch)
            for margin, score, patch in zip(margins.tolist(), scores.tolist(), patches, strict=True)
        ]


def fit(crop: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """The crop at `side_px`, averaged when smaller."""
    if crop.shape[0] == side_px:
        return crop
    method = cv2.INTER_AREA if crop.shape[0] > side_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (side_px, side_px), interpolation=method), np.uint8)
