"""What a service that was killed has left on disk is removed at the next start, and nothing else."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from faceswap.detector.serve.connections import upload_folder

KEEP = (
    "import sys, pathlib\n"
    "from faceswap.detector.serve.connections import upload_folder\n"
    "with upload_folder() as folder:\n"
    "    (folder / 'upload').write_text('x')\n"
    "    print(folder, flush=True)\n"
    "    sys.stdin.read()\n"
)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    """Another service with a file in its folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return subprocess.Popen(
        [sys.executable, "-c", KEEP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
        env=os.environ | {"TMPDIR": str(tmp_path)}, cwd=Path(__file__).parents[3],
    )  # fmt: skip


def test_files_of_a_killed_service_are_removed_and_those_of_a_living_one_stay(
    service: subprocess.Popen[str], tmp_path: Path
) -> None:
    with service:
        assert service.stdout is not None
        theirs = Path(service.stdout.readline().strip())
        with upload_folder() as ours:
            assert (theirs / "upload").exists()
            assert ours.parent == tmp_path
        assert not ours.exists()
        service.kill()
        service.wait()
        assert (theirs / "upload").exists()
        with upload_folder():
            assert not theirs.exists()


def test_only_old_folders_of_that_name_are_taken_for_left_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "theirs").mkdir()
    (tmp_path / "faceswap-serve-new").mkdir()
    (tmp_path / "faceswap-serve-old").mkdir()
    (tmp_path / "faceswap-serve-file").touch()
    (tmp_path / "faceswap-serve-link").symlink_to(tmp_path / "theirs", target_is_directory=True)
    os.utime(tmp_path / "faceswap-serve-old", (1, 1))
    with upload_folder():
        pass
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["faceswap-serve-file", "faceswap-serve-link", "faceswap-serve-new", "theirs"]
