"""The self-test as a stage."""

import ast
from pathlib import Path

import pytest

from faceswap.config import StageSettings
from faceswap.detector.network.files import save_detector
from faceswap.detector.network.model import VitDetector, build
from faceswap.detector.selftest import findings
from faceswap.errors import UserError
from faceswap.types import Side
from stages import selftest as stage
from tests.detector.toy_comparison import CARD
from tests.detector.toy_set import SPEC
from tests.detector.toy_workspace import encode_folder, toy_workspace

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def settings(tmp_path: Path) -> StageSettings:
    """A finished workspace and a detector that has looked at nothing."""
    place = toy_workspace(tmp_path / "work", 10, side_px=128)
    made = build(SPEC, 1)
    assert isinstance(made, VitDetector)
    save_detector(tmp_path / "detector", made, CARD)
    return stage.Settings(workspace=place.root, detector=tmp_path / "detector", device="cpu")


def read_report(cfg: StageSettings) -> findings.Report:
    return findings.from_json((cfg.workspace / "selftest" / "report.json").read_text(encoding="utf-8"))


def test_the_stage_judges_merged_frames_first_and_else_the_finished_clip(settings: StageSettings) -> None:
    place = settings.place
    encode_folder(place.merged, place.result)
    stage.main(settings)
    report = read_report(settings)
    assert (report.compared.kind, report.compared.faces) == ("frames", 10)
    assert report.detector.name == "detector"
    for path in place.merged.glob("*.png"):
        path.unlink()
    stage.main(settings)
    report = read_report(settings)
    assert (report.compared.kind, report.compared.name) == ("clip", "result.mp4")
    assert (report.compared.quality, report.compared.labelled) == (16, True)
    assert not list((place.root / "selftest").glob("*.mp4"))


def test_the_stage_without_a_detector_says_how_to_name_one(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("faceswap.detector.network.files.assets", lambda: tmp_path)
    (tmp_path / "result.mp4").touch()
    with pytest.raises(UserError, match="--detector"):
        stage.main(stage.Settings(workspace=tmp_path))


def test_a_workspace_without_aligned_faces_is_refused(settings: StageSettings) -> None:
    for path in settings.place.aligned(Side.DST).iterdir():
        path.unlink()
    with pytest.raises(UserError, match="no aligned faces"):
        stage.main(settings)


def test_nothing_that_makes_swaps_reads_what_the_self_test_found() -> None:
    makers = [REPOSITORY / "faceswap" / name for name in ("train", "merge", "models", "io", "faceset")]
    files = [path for folder in makers for path in folder.rglob("*.py")]
    files += [REPOSITORY / "stages" / f"{name}.py" for name in ("train", "merge", "encode")]
    for path in files:
        words = {node.value for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                 if isinstance(node, ast.Constant) and isinstance(node.value, str)}  # fmt: skip
        assert not any("selftest" in word or "report.json" in word for word in words), path
