"""Files are written whole or not at all, and what killed writers leave behind goes, but nothing else."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faceswap.io.files import atomic_path, write_bytes

KILLED = """
import os, signal, sys
from pathlib import Path
from faceswap.io.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    {end}
"""


def begin_writing(path: Path, end: str) -> subprocess.Popen[str]:
    """Another process in the middle of writing `path`."""
    command = [sys.executable, "-c", KILLED.format(end=end), str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def hidden(folder: Path) -> list[Path]:
    return list(folder.glob(".*"))


def age(path: Path, seconds: float = 60) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
def test_what_a_killed_writer_left_goes_with_the_next_process_that_writes_there(tmp_path: Path) -> None:
    begin_writing(tmp_path / "00001.png", "os.kill(os.getpid(), signal.SIGKILL)").wait(60)
    (left,) = hidden(tmp_path)
    age(left)
    write_bytes(tmp_path / "00002.png", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["00002.png"]


def test_what_another_process_is_writing_stays_however_old_and_comes_out_whole(tmp_path: Path) -> None:
    with begin_writing(tmp_path / "result.mp4", "print(flush=True); input()") as other:
        assert other.stdout is not None
        other.stdout.readline()
        (used,) = hidden(tmp_path)
        age(used)
        write_bytes(tmp_path / "encode.json", b"{}")
        assert used.exists()
        other.communicate("\n", timeout=60)
    assert (tmp_path / "result.mp4").read_bytes() == b"half" and not hidden(tmp_path)


def test_files_of_other_names_and_new_ones_stay(tmp_path: Path) -> None:
    names = [".hidden.png", ".notes.tmp.txt", ".x.abcdefgh.tmp.png.bak", "00001.abcdefgh.tmp.png"]
    new = ".00001.abcdefgh.tmp.png"
    for name in (*names, new):
        (tmp_path / name).write_bytes(b"mine")
    for name in names:
        age(tmp_path / name)
    write_bytes(tmp_path / "a.txt", b"")
    assert {path.name for path in tmp_path.iterdir()} == {*names, new, "a.txt"}


def test_a_full_disk_is_reported_with_the_file_that_it_could_not_take(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No space.*00007\.png"), atomic_path(tmp_path / "00007.png"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_body_that_fails_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.txt", b"older")
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_bytes(b"newer")
        raise KeyboardInterrupt
    assert (tmp_path / "a.txt").read_bytes() == b"older" and not hidden(tmp_path)
