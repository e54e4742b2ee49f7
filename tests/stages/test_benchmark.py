"""`python -m stages.benchmark` gives its figures; what they are is for people to read."""

import json
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "row"), [("merge", "sot-m, 100/100"), ("preview", "overlay, 1080p"), ("stream", "stream")]
)
def test_every_case_of_merging_is_measured(case: str, row: str, tmp_path: Path, run_stage) -> None:  # type: ignore[no-untyped-def]
    output = tmp_path / "benchmark.json"
    run_stage(
        "benchmark", "--only", case, "--seconds", 0.1, "--device", "cpu", "--output", output, check=True
    )
    assert row in json.loads(output.read_text())["figures"][case]
