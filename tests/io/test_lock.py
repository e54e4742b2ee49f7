"""One process at a time writes: others are told who, nobody waits for the dead, and nothing stays behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faceswap.errors import UserError
from faceswap.io.lock import FolderLock, locked, owner_of, was_killed

OTHER = """
import sys
from pathlib import Path
from faceswap.errors import UserError
from faceswap.io.lock import FolderLock
print(flush=True)
input()
try:
    with FolderLock(Path(sys.argv[1])):
        print("in", flush=True)
        input()
except UserError:
    print("refused", flush=True)
"""
STARTS = 20

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks are those of POSIX")


class Other:
    """Another process that tries to enter the lock of a folder when told, and leaves when told."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", OTHER, str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.read()

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def enter(self) -> "Other":
        self.go_on()
        assert self.read() == "in"
        return self

    def leave(self) -> None:
        self.process.communicate("\n", timeout=60)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "aligned"


def test_the_second_is_refused_with_program_process_host_and_time_of_the_first(target: Path) -> None:
    other = Other(target).enter()
    with pytest.raises(UserError, match="in use by another process") as caught, FolderLock(target):
        pass
    known = f"process {other.process.pid} on {socket.gethostname()}, since 20"
    assert known in caught.value.found and str(target) in caught.value.what
    other.leave()
    with FolderLock(target):
        pass
    assert not list(target.parent.iterdir())


def test_one_that_was_killed_is_not_waited_for_and_not_named(target: Path) -> None:
    other = Other(target).enter()
    other.process.send_signal(signal.SIGKILL)
    other.process.communicate()
    assert list(target.parent.iterdir()) and not owner_of(target)
    assert was_killed(target)
    with FolderLock(target):
        assert not was_killed(target)
        with pytest.raises(UserError) as caught, FolderLock(target):
            pass
        assert f"process {os.getpid()} on " in caught.value.found
    assert not list(target.parent.iterdir()) and not was_killed(target)


def test_of_many_processes_that_start_at_once_exactly_one_works(target: Path) -> None:
    others = [Other(target) for _ in range(STARTS)]
    for other in others:
        other.go_on()
    said = [other.read() for other in others]
    assert sorted(said) == ["in", *["refused"] * (STARTS - 1)]
    for other in others:
        other.leave()


def test_never_are_two_in_while_many_come_and_go_and_others_ask_who_is(target: Path) -> None:
    inside, crowded, entered = 0, 0, 0
    start = threading.Barrier(STARTS)

    def come_and_go(_: int) -> None:
        nonlocal inside, crowded, entered
        start.wait()
        for _ in range(5):
            owner_of(target)
            try:
                with FolderLock(target):
                    inside += 1
                    crowded += inside > 1
                    entered += 1
                    inside -= 1
            except UserError:
                pass

    with ThreadPoolExecutor(STARTS) as pool:
        list(pool.map(come_and_go, range(STARTS)))
    assert entered and not crowded and not list(target.parent.iterdir())


def test_asking_who_writes_is_in_nobodys_way(target: Path) -> None:
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            owner_of(target)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(200):
            with FolderLock(target):
                pass
    finally:
        over.set()
        asking.join()


def test_what_a_stage_has_taken_is_taken_again_within_it_but_not_by_others(target: Path) -> None:
    with locked([target, target]):
        with FolderLock(target):
            pass
        assert not owner_of(target)
        other = Other(target)
        other.go_on()
        assert other.read() == "refused"
        other.leave()
    Other(target).enter().leave()


def test_two_that_want_the_same_in_another_order_do_not_both_fail(tmp_path: Path) -> None:
    folders, start = [tmp_path / "a", tmp_path / "b"], threading.Barrier(2)

    def take(order: int) -> bool:
        start.wait()
        try:
            with locked(folders[::order]):
                hold.wait(5)
            return True
        except UserError:
            hold.set()
            return False

    hold = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, (1, -1))) == [False, True]


def test_a_folder_and_a_link_to_it_have_one_lock(target: Path) -> None:
    target.mkdir()
    link = target.with_name("link")
    link.symlink_to(target, target_is_directory=True)
    with FolderLock(link), pytest.raises(UserError), FolderLock(target):
        pass


def test_a_target_may_be_moved_away_and_made_anew_under_its_lock(target: Path) -> None:
    target.mkdir()
    with FolderLock(target):
        target.rename(target.with_name("trash"))
        target.mkdir()
        with pytest.raises(UserError), FolderLock(target):
            pass
    assert {path.name for path in target.parent.iterdir()} == {"aligned", "trash"}


def test_folders_that_were_made_for_a_lock_alone_are_gone_with_it(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "mistyped" / "data_dst" / "aligned"):
        pass
    assert not list(tmp_path.iterdir())
    with FolderLock(tmp_path / "job" / "data_dst" / "aligned"):
        (tmp_path / "job" / "data_dst" / "aligned").mkdir()
    assert (tmp_path / "job" / "data_dst" / "aligned").is_dir()


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"x" * 100_000])
def test_what_stands_in_the_file_of_a_lock_is_no_matter(target: Path, content: bytes) -> None:
    target.with_name(".aligned.lock").write_bytes(content)
    with FolderLock(target), pytest.raises(UserError), FolderLock(target):
        pass


def test_where_no_lock_can_be_written_nobody_is_locked_out(target: Path) -> None:
    target.with_name(".aligned.lock").mkdir()
    with FolderLock(target), FolderLock(target):
        pass


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_in_a_folder_that_cannot_be_written_nobody_is_locked_out(target: Path) -> None:
    target.parent.chmod(0o555)
    with FolderLock(target), FolderLock(target):
        pass
    target.parent.chmod(0o755)
