"""What a person is told to type must work when typed."""

import io
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from faceswap.console import command, progress_bar, say


@pytest.mark.skipif(sys.platform == "win32", reason="cmd.exe quotes otherwise")
@pytest.mark.parametrize("folder", ["plain", "two words", "it's", 'a "quote"', "naïve 映画 🎬", "$HOME"])
def test_a_suggested_command_survives_the_shell_with_any_folder(folder: str) -> None:
    line = command("stages.merge", "--workspace", Path(folder))
    assert shlex.split(line) == ["python", "-m", "stages.merge", "--workspace", folder]


_WORK = """
from pathlib import Path
from faceswap.console import progress_bar, say, warn

with progress_bar("work", "items", 3) as bar:
    for number in range(3):
        say(f"item {number}")
        warn("of some length" * 1000)
        bar.update()
        bar.refresh()
Path("done").touch()
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_on_a_full_disk_does_not_end_the_work(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        subprocess.run([sys.executable, "-c", _WORK], stdout=full, stderr=full, cwd=tmp_path)
    assert (tmp_path / "done").exists()


def test_a_line_is_not_printed_into_a_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_bar("work", "items", 3) as bar:
        bar.refresh()
        say("a line")
    assert "\ra line\n" in screen.getvalue()
