"""One process at a time in a folder: the second is told who was first, and nobody waits for the dead."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from faceswap.errors import UserError
from faceswap.io.lock import FolderLock

REFUSAL = ("somebody is in", "wait")
OTHER = """
import sys
from pathlib import Path
from faceswap.io.lock import FolderLock
with FolderLock(Path(sys.argv[1]), ("", "")):
    print(flush=True)
    input()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks are those of POSIX")


def enter_elsewhere(folder: Path) -> subprocess.Popen[str]:
    """Another process that is in the folder until a line is written to it."""
    command = [sys.executable, "-c", OTHER, str(folder)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    other.stdout.readline()
    return other


def test_the_second_is_refused_with_the_first_ones_process_and_host_until_it_leaves(tmp_path: Path) -> None:
    with enter_elsewhere(tmp_path) as other:
        with pytest.raises(UserError, match="somebody is in") as caught, FolderLock(tmp_path, REFUSAL):
            pass
        assert caught.value.found == f"process {other.pid} on {socket.gethostname()}"
        assert caught.value.hint == "wait"
        other.communicate("\n", timeout=60)
    with FolderLock(tmp_path, REFUSAL):
        pass


def test_one_that_was_killed_is_not_waited_for_and_not_named(tmp_path: Path) -> None:
    with enter_elsewhere(tmp_path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait(60)
    with FolderLock(tmp_path, REFUSAL):
        with pytest.raises(UserError) as caught, FolderLock(tmp_path, REFUSAL):
            pass
        assert caught.value.found.startswith(f"process {os.getpid()} on ")


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"x" * 100_000])
def test_what_stands_in_the_file_of_a_lock_is_no_matter(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".lock").write_bytes(content)
    with FolderLock(tmp_path, REFUSAL), pytest.raises(UserError), FolderLock(tmp_path, REFUSAL):
        pass


def test_where_no_lock_can_be_written_nobody_is_locked_out(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with FolderLock(tmp_path, REFUSAL), FolderLock(tmp_path, REFUSAL):
        pass
