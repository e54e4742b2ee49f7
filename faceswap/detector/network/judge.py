"""Scores for crops, calibrated, and where the detector looks: patch map, Grad-CAM, rollout.

Only the patch map has a truth to be held against (the mask of the swap). Attention alone is known to be close
to a random attribution (Wu et al. 2024, SaCo), so every map comes with its deletion figure.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faceswap.detector.network.model import FAKE, Detector, Judged, Shipped, to_pixels

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


Map = NDArray[np.float32]
_BATCH = 16
# As the service's page lays its patches over a picture.
_GLOW, _OPACITY = np.array([255, 120, 20], np.float32), np.float32(0.7)


def patch_map(detector: Detector, pixels: Tensor) -> Tensor:
    """(B, G, G) in [0, 1]: how foreign the patch head finds every patch."""
    with torch.inference_mode():
        judged: Judged = detector(pixels)
    return judged.patch_logits.sigmoid()


def grad_cam(detector: Shipped, pixels: Tensor) -> Tensor:
    """(B, G, G) in [0, 1]: Grad-CAM (Selvaraju et al. 2017) of fake against real.

    Its feature maps are the patch tokens that enter the last attention; a channel's weight is its mean
    gradient.
    """
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[-1]

    hook = detector.cam_layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = detector(pixels).logits
            (gradient,) = torch.autograd.grad((logits[:, FAKE] - logits[:, 1 - FAKE]).sum(), kept[0])
    finally:
        hook.remove()
    # The patches come last, after a class token where there is one.
    patches = detector.grid**2
    weights = gradient[:, -patches:].mean(dim=1, keepdim=True)
    cam = (weights * kept[0].detach()[:, -patches:]).sum(dim=-1).clamp_min(0)
    return _scaled(cam, detector.grid)


def rollout(detector: Shipped, pixels: Tensor) -> Tensor:
    """(B, G, G) in [0, 1]: attention rollout (Abnar & Zuidema 2020) from the class token; of no one class."""
    attentions = detector.attentions(pixels)
    own = torch.eye(1 + detector.grid**2, device=pixels.device)
    flow = own.expand(len(pixels), -1, -1)
    for attention in attentions:
        # Half of every block's output is its own input, through the shortcut.
        flow = (0.5 * attention + 0.5 * own) @ flow
    return _scaled(flow[:, 0, 1:], detector.grid)


def explain(detector: Shipped, crops: NDArray[np.uint8]) -> dict[str, Map]:
    """The maps (B, G, G) of every method for crops (B, S, S, 3) uint8 of the detector's size."""
    device = next(detector.parameters()).device
    parts: dict[str, list[Map]] = {}
    # A few at a time, because rollout holds every attention of every block at once.
    for start in range(0, len(crops), _BATCH):
        pixels = to_pixels(torch.from_numpy(crops[start : start + _BATCH]).to(device))
        maps = {
            "patches": patch_map(detector, pixels),
            "grad-cam": grad_cam(detector, pixels),
            "rollout": rollout(detector, pixels),
        }
        for name, found in maps.items():
            parts.setdefault(name, []).append(found.cpu().numpy())
    return {name: np.concatenate(found) for name, found in parts.items()}


@torch.inference_mode()
def deletion(detector: Shipped, crops: NDArray[np.uint8], maps: Map, steps: int = 8) -> NDArray[np.float32]:
    """(steps + 1,) mean P(fake) while the patches a map points at are greyed out, most pointed-at first.

    A faithful map makes it fall fast (Petsiuk et al. 2018). Half of the patches are gone at the end.
    """
    device = next(detector.parameters()).device
    pixels = to_pixels(torch.from_numpy(crops).to(device))
    order = torch.from_numpy(np.ascontiguousarray(maps)).to(device).flatten(1).argsort(dim=1, descending=True)
    curve = []
    for step in range(steps + 1):
        gone = round(step / steps * order.shape[1] / 2)
        logits = detector(pixels * detector.shown(order[:, gone:])).logits
        curve.append(float(logits.softmax(dim=1)[:, FAKE].mean()))
    return np.array(curve, np.float32)


def overlaid(face: NDArray[np.uint8], heat: Map) -> NDArray[np.uint8]:
    """A face (H, W, 3) in grey, glowing where a map of it, in [0, 1], is high; both uint8 RGB.

    A coarser map is not smoothed: it is no finer than its patches.
    """
    height, width = face.shape[:2]
    glow = _OPACITY * cv2.resize(heat, (width, height), interpolation=cv2.INTER_NEAREST)[..., None]
    mixed: NDArray[np.float32] = face.mean(axis=2, keepdims=True) * (1 - glow) + _GLOW * glow
    return np.rint(mixed).astype(np.uint8)


def _scaled(flat: Tensor, grid: int) -> Tensor:
    """(B, G²) ≥ 0 -> (B, G, G) with the largest of each at 1."""
    peak = flat.amax(dim=1, keepdim=True).clamp_min(torch.finfo(flat.dtype).tiny)
    return (flat / peak).reshape(-1, grid, grid)
