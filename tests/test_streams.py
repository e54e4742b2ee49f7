"""Whatever becomes of the screen, the work goes on to its end and ends as it should."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faceswap.console import is_heard, say
from faceswap.streams import BestEffort, best_effort

REPOSITORY = Path(__file__).parent.parent
# What the standard library, tqdm and we write, by every way there is, more than any buffer holds.
WORK = """
import logging, sys, warnings
from pathlib import Path
from faceswap.console import progress_bar, say, warn
from faceswap.streams import secure

secure()
secure()
with progress_bar("work", "items", 3) as bar:
    for number in range(3):
        print("a line" * 4000)
        print("a line", file=sys.stderr, flush=True)
        say("1 → 2 °, a name \\udcff" * 1000)
        warn("…" * 9000)
        warnings.warn("…")
        logging.getLogger("x").error("…")
        bar.update()
        bar.refresh()
own = open("own", "w")
own.write("mine")
own.close()
print("not flushed")
sys.exit(7)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
Start = Callable[[], "dict[str, Any]"]


@contextmanager
def gone_reader() -> Iterator[dict[str, Any]]:
    read, write = os.pipe()
    os.close(read)
    yield {"stdout": write, "stderr": write}
    os.close(write)


@contextmanager
def hung_up_terminal() -> Iterator[dict[str, Any]]:
    ours, theirs = os.openpty()
    os.close(ours)
    yield {"stdout": theirs, "stderr": theirs}
    os.close(theirs)


@contextmanager
def full_disk() -> Iterator[dict[str, Any]]:
    if not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    with Path("/dev/full").open("w") as full:
        yield {"stdout": full, "stderr": full}


@contextmanager
def closed() -> Iterator[dict[str, Any]]:
    yield {"preexec_fn": lambda: os.closerange(0, 3)}


@contextmanager
def letters_lacking() -> Iterator[dict[str, Any]]:
    strict = {"PYTHONIOENCODING": "ascii:strict"}
    yield {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": os.environ | strict}


@pytest.mark.parametrize("broken", [gone_reader, hung_up_terminal, full_disk, closed, letters_lacking])
def test_work_is_done_and_its_exit_code_kept(broken: Any, tmp_path: Path) -> None:
    with broken() as how:
        how["env"] = how.get("env", os.environ) | {"PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run([sys.executable, "-c", WORK], cwd=tmp_path, timeout=60, check=False, **how)
    assert done.returncode == 7
    assert (tmp_path / "own").read_text() == "mine", "nobody else's words went into it"


def test_nothing_is_said_about_a_reader_that_has_gone(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", WORK], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=write, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(write)
    assert "BrokenPipe" not in done.stderr and "Exception ignored" not in done.stderr


def test_help_into_a_pager_that_was_left_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "stages.cut", "--help"], cwd=REPOSITORY, stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert done.returncode == 0 and not done.stderr


def test_work_of_which_only_words_remain_can_see_that_nobody_reads_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream:
        monkeypatch.setattr(sys, "stdout", BestEffort(stream))
        say("somebody")
        assert is_heard()
        os.close(read)
        say("nobody")
        assert not is_heard()
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)


def test_letters_that_a_stream_lacks_are_written_as_numbers() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "cp1252", write_through=True)
    best_effort(stream).write("25° 顔 \udcff")
    assert raw.getvalue() == b"25\xb0 \\u9854 \\udcff"


def test_a_missing_or_closed_stream_takes_everything_and_is_no_terminal() -> None:
    gone = io.StringIO()
    gone.close()
    for stream in (best_effort(None), best_effort(gone)):
        assert stream.write("text") == 4 and not stream.isatty()
        stream.flush()
        assert stream.is_broken


def test_a_stream_is_wrapped_once_and_stays_the_same_for_progress_bars() -> None:
    screen = io.StringIO()
    wrapped = best_effort(screen)
    assert best_effort(wrapped) is wrapped and wrapped == screen == BestEffort(screen)
    assert wrapped != BestEffort(io.StringIO()) and wrapped.getvalue() == ""
