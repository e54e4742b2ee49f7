"""Shortcuts in a set are found in what training would be shown."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from faceswap.detector.data.samples import Crop, DrawnPair, Pairs
from faceswap.detector.measures.probes import leaking, probe_pairs

SIDE, PEOPLE = 64, 40


@dataclass(frozen=True)
class Planted(Pairs):
    """Noise of many people; a fake is softer in its middle, and `brighter` all over."""

    brighter: int = 0
    kind: str = "ae-late"
    out_px: int = SIDE
    null_share: float = 0.0

    @property
    def manipulations(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.kind,)

    def pair(self, rng: np.random.Generator) -> DrawnPair:
        real = np.clip(rng.normal(120, 25, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
        mask = np.zeros((SIDE, SIDE), np.float32)
        mask[16:48, 16:48] = 1
        soft = cv2.GaussianBlur(real, (0, 0), 2)
        fake = np.where(mask[..., None] > 0, soft, real).astype(int) + self.brighter
        crop = Crop(real, np.zeros((68, 2), np.float32))
        picture = np.clip(fake, 0, 255).astype(np.uint8)
        return DrawnPair(crop, picture, mask, self.kind, f"person {rng.integers(PEOPLE)}")

    def only(self, kind: str) -> "Planted":
        return self


@pytest.mark.parametrize(("brighter", "found"), [(0, False), (25, True)])
def test_a_difference_outside_the_forgery_is_a_leak_and_an_autoencoder_s_softness_is_none(
    brighter: int, found: bool
) -> None:
    told = leaking(probe_pairs(Planted(brighter), 120, seed=1))
    assert any(line.startswith("ae-late: histogram") for line in told) == found
    assert any(line.startswith("ae-late: border") for line in told) == found


def test_another_manipulation_s_softness_is_said() -> None:
    assert any("spectrum" in line for line in leaking(probe_pairs(Planted(kind="affine"), 120, seed=1)))
