"""The doctor names what is missing, what it costs and what to type, and never ends in a traceback."""

from pathlib import Path

import pytest

from faceswap import doctor
from faceswap.doctor import Finding, examine
from faceswap.errors import UserError
from tests.conftest import RunStage


def test_the_machine_is_looked_at_from_libraries_to_memory(run_stage: RunStage, tmp_path: Path) -> None:
    done = run_stage("doctor", "--workspace", tmp_path / "not there yet")
    assert done.returncode == 0, done.stderr
    for subject in (
        "torch",
        "opencv-python",
        "ffmpeg",
        "encoder of h264",
        "GPU",
        "face models",
        "disk",
        "memory",
    ):
        assert subject in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "use", "state"), [("nowhere", "", "missing"), ("nowhere", "windows", "note")]
)
def test_a_package_that_cannot_be_imported_is_named_with_what_it_costs(
    module: str, use: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(doctor._PACKAGES, "numpy", (module, use, "pip install {}"))
    finding = doctor._package("numpy")
    assert (finding.state, finding.hint) == (state, "pip install numpy")
    assert "nowhere" in finding.found
    assert use in finding.cost


def test_a_package_that_ends_its_process_ends_not_the_doctors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor._PACKAGES, "numpy", ("os; os.abort()", "", "pip install {}"))
    assert doctor._package("numpy").state == "missing"


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor._PACKAGES, "faceswap-nowhere", ("x", "windows", "pip install {}"))
    finding = doctor._package("faceswap-nowhere")
    assert str(finding).splitlines()[0].endswith("not installed")
    assert "windows will not work" in str(finding)


@pytest.mark.parametrize(
    "error",
    [
        UserError("no ffmpeg", "", "install it"),
        ImportError("libGL.so.1: cannot open shared object file: No such file or directory"),
        ImportError("No module named 'av'"),
        PermissionError(13, "denied"),
    ],
)
def test_what_a_check_stumbles_over_is_a_finding_and_the_others_go_on(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stumble() -> None:
        raise error

    for name in ("_packages", "_gpu", "_models"):
        monkeypatch.setattr(doctor, name, lambda: iter(()))
    monkeypatch.setattr(doctor, "_ffmpeg", stumble)
    found = list(examine(tmp_path))
    assert [finding.state for finding in found if finding.subject == "ffmpeg"] == ["missing"]
    assert found[-1].subject == "memory"


def test_a_disk_that_cannot_be_written_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    states = {finding.found: finding.state for finding in doctor._disk(tmp_path)}
    assert states[f"{tmp_path} cannot be written: Permission denied"] == "missing"


def test_finding_is_one_line_and_its_cost_and_hint_below() -> None:
    lines = str(Finding("GPU", "note", "none", "slow", "buy one")).splitlines()
    assert lines[0].split() == ["note", "GPU", "none"]
    assert [line.strip() for line in lines[1:]] == ["slow", "buy one"]
