"""An ffmpeg that stops answering is ended by its time limit and by Ctrl-C; a slow reader is no silence."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.media.extract import timed_frames
from faceswap.media.ffmpeg import extract_command, ffmpeg_binary
from faceswap.media.pipes import Decoder
from faceswap.media.probe.video import Clip, probe

# Stands for a decoder that hangs: it takes any arguments and writes nothing, or only the first frames.
SILENT = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def clip(demo_clips: Path) -> Clip:
    return probe(demo_clips / "actor_a.mp4")


def half(clip: Clip, tmp_path: Path) -> list[str]:
    """A program that writes the first four frames of a clip, and then nothing."""
    command = extract_command(clip, 0, False, ffmpeg_binary())
    whole = subprocess.run(command, capture_output=True, check=True).stdout
    (tmp_path / "frames.nut").write_bytes(whole[: 4 * clip.width * clip.height * 3 + 2000])
    code = (
        "import sys, time; data = open(sys.argv[1], 'rb').read(); "
        "sys.stdout.buffer.write(data); sys.stdout.flush(); time.sleep(600)"
    )
    return [sys.executable, "-c", code, str(tmp_path / "frames.nut")]


@pytest.mark.parametrize("begins", [False, True])
def test_a_decoder_that_is_silent_for_too_long_is_ended_with_a_sentence(
    clip: Clip, tmp_path: Path, begins: bool
) -> None:
    command = half(clip, tmp_path) if begins else SILENT
    with Decoder(command, silence_s=1) as decoder, pytest.raises(UserError, match="no picture came for 1 s"):
        for _ in timed_frames(decoder, clip):
            pass


def test_a_reader_that_takes_its_time_is_not_taken_for_silence(clip: Clip) -> None:
    with Decoder(extract_command(clip, 0, False, ffmpeg_binary()), silence_s=1.5) as decoder:
        frames = decoder.frames()
        first = next(frames)[1]
        time.sleep(3.2)
        assert sum(np.shape(frame) == first.shape for _, frame in frames) == clip.frames - 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stage_that_waits_for_it_is_ended_by_a_signal(number: signal.Signals) -> None:
    code = (
        "import sys\n"
        "from faceswap.config import StageSettings, run_stage\n"
        "from faceswap.io.flow import fetched_ahead\n"
        "from faceswap.media.pipes import Decoder\n"
        "def main(cfg):\n"
        f"    with Decoder({SILENT!r}) as decoder:\n"
        "        print('waiting', flush=True)\n"
        "        list(fetched_ahead(decoder.frames()))\n"
        "run_stage(StageSettings, main, '')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.3)
        process.send_signal(number)
        process.wait(timeout=20)
        assert process.returncode == 128 + number
        assert "Traceback" not in process.stderr.read()
