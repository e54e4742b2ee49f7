"""Smoothing on actor B with a thing crossing the face: steadier, and no frame's mask less true."""

from pathlib import Path

import pytest

from faceswap.faceset.stored_masks import read_mask, write_mask
from faceswap.masks.smooth import smooth
from tests.occluded_actor import iou, make, trembling


@pytest.mark.parametrize("shift_px", [2.0])
def test_flicker_is_halved_and_no_frame_loses_a_hundredth_of_iou(
    tmp_path: Path, demo_clips: Path, shared_data: Path, shift_px: float
) -> None:
    """The bars of issue 5, on true masks made to tremble."""
    faceset, truths = make(tmp_path / "aligned", demo_clips, shared_data, 48)
    for number, (face, truth) in enumerate(zip(faceset.faces, truths, strict=True)):
        write_mask(face, trembling(truth, number, shift_px), "m")
    before = [iou(read_mask(face), truth) for face, truth in zip(faceset.faces, truths, strict=True)]
    told = smooth(faceset, 2, "dst")
    after = [iou(read_mask(face), truth) for face, truth in zip(faceset.faces, truths, strict=True)]
    assert told.after < told.before / 2
    assert min(now - then for now, then in zip(after, before, strict=True)) > -0.01
    assert sum(after) > sum(before)
