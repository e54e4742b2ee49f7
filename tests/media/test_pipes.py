"""What happens to frames when the program that takes them ends early."""

import sys

import numpy as np
import pytest

from faceswap.media.pipes import Encoder

FRAMES = [(0.04 * n, np.full((480, 640, 3), n, np.uint8)) for n in range(12)]


@pytest.mark.parametrize("taken", [0, 1, 100_000, 1_000_000, 5_000_000])
def test_an_encoder_that_dies_in_the_middle_has_the_last_word(taken: int) -> None:
    dying = f"import sys; sys.stdin.buffer.read({taken}); sys.exit('disk full')"
    with Encoder([sys.executable, "-c", dying]) as encoder:
        encoder.feed(FRAMES, 25)
        assert encoder.finish() == (False, "disk full")
