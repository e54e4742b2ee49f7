"""A network that never answers can be ended: by its time limit and by Ctrl-C; its process ends with ours."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from faceswap.errors import UserError
from faceswap.merge import upscale_worker
from faceswap.merge.upscale import Upscaler, load_upscaler

REPOSITORY = Path(__file__).parents[2]
FACE = np.full((8, 8, 3), 0.5, np.float32)


@pytest.fixture
def asleep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file whose network never answers: in place of the worker stands a program that sleeps."""
    (tmp_path / "sleeping.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(REPOSITORY)]))
    monkeypatch.setattr(upscale_worker, "__name__", "sleeping")
    (tmp_path / "x.onnx").write_bytes(b"asleep")
    yield tmp_path / "x.onnx"


def test_a_network_that_never_answers_is_ended_after_its_time(asleep: Path) -> None:
    before, began = psutil.Process().children(), time.monotonic()
    with pytest.raises(UserError, match=r"(?s)does not answer.*within 0\.5 s.*--upscaler"):
        load_upscaler(asleep, 8, False, limit_s=0.5)
    assert time.monotonic() - began >= 0.5
    assert set(psutil.Process().children()) <= set(before)


def test_a_process_that_ends_is_a_sentence_and_the_next_face_gets_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ending.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "x.onnx").write_bytes(b"ending")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(REPOSITORY)]))
    monkeypatch.setattr(upscale_worker, "__name__", "ending")
    before = psutil.Process().children()
    upscaler = Upscaler(tmp_path / "x.onnx", False)
    for _ in range(3):
        with pytest.raises(UserError, match="its process ended"):
            upscaler.answer(FACE)
    del upscaler
    gc.collect()
    assert set(psutil.Process().children()) <= set(before)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_thread_that_waits_for_such_a_network_does_not_keep_a_stop_waiting(
    asleep: Path, number: signal.Signals
) -> None:
    main = f"    upscaler = Upscaler(Path({str(asleep)!r}), False)\n"
    code = (
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from faceswap.merge import upscale_worker\n"
        "from faceswap.merge.upscale import Upscaler\n"
        "from faceswap.config import StageSettings, run_stage\n"
        "upscale_worker.__name__ = 'sleeping'\n"
        "def main(cfg):\n"
        f"{main}"
        "    with ThreadPoolExecutor(2) as pool:\n"
        "        waiting = pool.submit(upscaler.answer, np.zeros((8, 8, 3), np.float32))\n"
        "        print('waiting', flush=True)\n"
        "        waiting.result()\n"
        "run_stage(StageSettings, main, '')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.3)
        process.send_signal(number)
        process.wait(timeout=20)
        assert process.returncode == 128 + number
        assert "Traceback" not in process.stderr.read()
