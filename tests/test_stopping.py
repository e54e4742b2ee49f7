"""A stage that is asked to stop cleans up, says so and ends with the code that shells expect."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from faceswap import stopping
from faceswap.errors import Stopped
from faceswap.stopping import StopRequest, exit_code

REPOSITORY = Path(__file__).parent.parent
STAGE = """
import time
from pathlib import Path
from faceswap.config import StageSettings, run_stage

class Settings(StageSettings):
    pass

def main(cfg):
    try:
        Path("begun").touch()
        time.sleep(60)
    {handling}
    finally:
        Path("ending").touch()
        time.sleep(0.3)
        Path("cleaned").touch()

run_stage(Settings, main, "")
"""
CONVERTED = "except BaseException: raise ImportError('a library failed to load')"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", 1)


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def start(folder: Path, code: str, ignored: tuple[int, ...] = ()) -> "subprocess.Popen[str]":
    def prepare() -> None:
        # A job in a shell's background, as this test may be, does not hear Ctrl-C.
        signal.signal(INT, signal.SIG_DFL)
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE, text=True, preexec_fn=prepare,
    )  # fmt: skip
    wait_for(folder / "begun", process)
    return process


@pytest.mark.parametrize("numbers", [(INT,), (TERM,), (HUP,), (HUP, HUP), (INT, TERM), (TERM, HUP, INT)])
def test_the_first_signal_decides_and_its_echoes_disturb_no_cleaning_up(
    tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    process = start(tmp_path, STAGE.format(handling=""))
    process.send_signal(numbers[0])
    wait_for(tmp_path / "ending", process)
    for number in numbers[1:]:
        process.send_signal(number)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + numbers[0] and (tmp_path / "cleaned").exists()
    assert "Traceback" not in errors and errors.endswith("; the same command continues\n")


def test_a_stop_that_a_library_turns_into_its_own_error_is_still_a_stop(tmp_path: Path) -> None:
    process = start(tmp_path, STAGE.format(handling=CONVERTED))
    process.send_signal(HUP)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + HUP and "Traceback" not in errors and "stopped" in errors


def test_under_nohup_a_closed_line_is_not_heard_and_sigterm_is(tmp_path: Path) -> None:
    process = start(tmp_path, STAGE.format(handling=""), ignored=(HUP,))
    process.send_signal(HUP)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(TERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + TERM


@pytest.mark.parametrize("number", [INT, TERM, HUP])
def test_a_loop_is_asked_once_and_only_ctrl_c_after_a_while_interrupts_it(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {one: signal.getsignal(one) for one in stopping.SIGNALS}
    with StopRequest() as stop:
        assert not stop.wanted
        for one in (number, INT, TERM, HUP):
            signal.raise_signal(one)
        assert stop.wanted
        monkeypatch.setattr(stopping, "_ECHO_S", -1.0)
        for one in (TERM, HUP):
            signal.raise_signal(one)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(INT)
    with pytest.raises(KeyboardInterrupt) as caught:
        stop.raise_if_wanted()
    assert exit_code(caught.value) == 128 + number and isinstance(caught.value, Stopped) == (number != INT)
    assert {one: signal.getsignal(one) for one in stopping.SIGNALS} == before


def test_a_loop_under_nohup_does_not_hear_that_its_line_is_closed() -> None:
    before = signal.signal(HUP, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            signal.raise_signal(HUP)
            assert not stop.wanted
    finally:
        signal.signal(HUP, before)


def test_ctrl_c_while_a_stages_libraries_load_is_a_sentence_whatever_they_make_of_it() -> None:
    load = "try:\n os.kill(os.getpid(), signal.SIGINT)\nexcept BaseException: raise ImportError"
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"import os, signal, sys\n{heard}\nsys.argv = ['-m']\nimport stages\n{load}"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    assert done.returncode == -INT and done.stderr == "\ninterrupted; nothing was begun yet\n"


def test_the_demo_hands_a_stop_on_and_waits_until_its_stage_has_saved(tmp_path: Path) -> None:
    (tmp_path / "saver.py").write_text(STAGE.format(handling=""))
    process = start(tmp_path, "from stages.demo import run; run(['saver'])")
    process.send_signal(INT)
    process.communicate(timeout=60)
    assert (tmp_path / "cleaned").exists()
