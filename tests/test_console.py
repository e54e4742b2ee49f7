"""What a person is told to type must work when typed."""

import shlex
import sys
from pathlib import Path

import pytest

from faceswap.console import command


@pytest.mark.skipif(sys.platform == "win32", reason="cmd.exe quotes otherwise")
@pytest.mark.parametrize("folder", ["plain", "two words", "it's", 'a "quote"', "naïve 映画 🎬", "$HOME"])
def test_a_suggested_command_survives_the_shell_with_any_folder(folder: str) -> None:
    line = command("stages.merge", "--workspace", Path(folder))
    assert shlex.split(line) == ["python", "-m", "stages.merge", "--workspace", folder]
