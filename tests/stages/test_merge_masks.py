"""`python -m stages.merge` with the masks of faces and of a segmenter."""

from pathlib import Path

import numpy as np

from faceswap.faceset.store import Faceset
from faceswap.faceset.stored_masks import STORED_PX, write_mask
from faceswap.io.images import read_mask
from tests.conftest import RunStage
from tests.stages.test_merge import make_job
from tests.toy_masks import save_network


def test_a_mask_model_and_stored_masks_are_used_named_and_part_of_what_a_frame_was_made_with(
    tmp_path: Path, run_stage: RunStage
) -> None:
    job = make_job(tmp_path / "job", frames=3)
    save_network(job / "model" / "mine")
    words = ("merge", "--workspace", job, "--model", "new", "--device", "cpu", "--erode", 0, "--blur", 0)
    xseg = (*words, "--mask-mode", "xseg-prd*xseg-dst")
    missing = run_stage(*xseg, "--mask-model", "other")
    assert missing.returncode == 2 and "no model 'other'" in missing.stderr
    done = run_stage(*xseg, "--mask-model", "mine", check=True)
    assert "mask model mine-" in done.stdout and "2 from the hull" in done.stdout
    again = run_stage(*xseg, "--mask-model", "mine", check=True)
    assert "0 frames merged" in again.stdout

    write_mask(
        Faceset.open(job / "data_dst" / "aligned").faces[0], np.zeros((STORED_PX,) * 2, np.float32), "m"
    )
    changed = run_stage(*xseg, "--mask-model", "mine")
    assert changed.returncode == 2 and "--again" in changed.stderr
    merged = run_stage(*words, "--mask-mode", "dst", "--again", check=True)
    assert "masks: 1 stored, 1 from the hull" in merged.stdout
    empty, hull = (read_mask(job / "data_dst" / "merged_mask" / f"0000{number}.png") for number in (1, 3))
    assert not empty.any() and hull.any()
