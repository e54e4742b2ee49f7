"""A user's own super-resolution network, in place of the bundled method."""

import importlib.util
import os
import sys
import weakref
from pathlib import Path
from queue import LifoQueue

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import UserError
from faceswap.io.files import sha256
from faceswap.media.pipes import Patience, Process
from faceswap.merge import upscale_worker
from faceswap.merge.enhance import FACTOR
from faceswap.types import Image

_HINT = "name an ONNX network from (1, 3, H, W) float32 RGB in [0, 1] to the same 2 or 4 times as large"
# The largest networks take a minute for a face of 512 px on one core; the first answer includes loading.
LIMIT_S = 600.0


class Upscaler:
    """An `Enhancer` from an ONNX file; `identity` changes with the file.

    It runs in processes of its own, one for each thread that asks at once, so that a network which never
    answers can be ended: by Ctrl-C, and after `limit_s` for one face.
    """

    def __init__(self, path: Path, on_gpu: bool, limit_s: float = LIMIT_S) -> None:
        self.identity = f"upscaler {sha256(path)}"
        self._words = [str(path.resolve()), "gpu" if on_gpu else "cpu"]
        self._limit_s = limit_s
        self._idle: LifoQueue[_Worker | None] = LifoQueue()
        # On a GPU one process has it all; None is a worker that is not started yet.
        for _ in range(1 if on_gpu else os.cpu_count() or 1):
            self._idle.put(None)
        weakref.finalize(self, _end, self._idle)

    def enhance(self, face: Image) -> Image:
        """(4R, 4R, 3) for a face (R, R, 3), both float32 RGB in [0, 1]; what a network of × 2 gives is
        enlarged by cubic interpolation. Raises UserError where it gives no picture.
        """
        try:
            answer = self.answer(face)
        except ValueError as error:
            raise UserError("the upscaler fails", str(error)[:200], _HINT) from None
        if answer.shape not in _shapes(face.shape[0]) or not np.isfinite(answer).all():
            raise UserError("the upscaler answers what is no picture", f"{answer.shape}", _HINT)
        fine = np.ascontiguousarray(answer[0].transpose(1, 2, 0))
        size = (FACTOR * face.shape[1], FACTOR * face.shape[0])
        if fine.shape[1::-1] != size:
            fine = cv2.resize(fine, size, interpolation=cv2.INTER_CUBIC)
        return np.asarray(np.clip(fine, 0, 1), np.float32)

    def answer(self, face: Image) -> NDArray[np.float32]:
        """What the network gives, as it is.

        Raises ValueError with the network's words, UserError where its process ends or takes too long.
        """
        worker = self._idle.get()
        try:
            worker = worker or _Worker(self._words, self._limit_s)
            return worker.answer(face)
        except (UserError, KeyboardInterrupt):
            if worker is not None:
                worker.__exit__(None, None, None)
                worker = None
            raise
        finally:
            self._idle.put(worker)


def _end(idle: "LifoQueue[_Worker | None]") -> None:
    while not idle.empty():
        if worker := idle.get():
            worker.__exit__(None, None, None)


class _Worker(Process):
    def __init__(self, words: list[str], limit_s: float) -> None:
        super().__init__([sys.executable, "-m", upscale_worker.__name__, *words], feed=True, read=True)
        self._patience = Patience(self, limit_s).__enter__()
        self._limit_s = limit_s

    def answer(self, face: Image) -> NDArray[np.float32]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._patience.waiting()
        try:
            upscale_worker.write(self._process.stdin, np.asarray(face, np.float32))
            return upscale_worker.read(self._process.stdout)
        except (EOFError, OSError):
            found = f"no answer within {self._limit_s:g} s" if self._patience.lapsed else "its process ended"
            hint = "choose a smaller network: --upscaler FILE, or --upscaler bundled for none"
            raise UserError("the upscaler does not answer", found, hint) from None
        finally:
            self._patience.served()

    def __exit__(self, *_: object) -> None:
        self._patience.__exit__()
        super().__exit__(None, None, None)


def load_upscaler(path: Path, size_px: int, on_gpu: bool, limit_s: float = LIMIT_S) -> Upscaler:
    """The network in an ONNX file, tried on a face of size_px².

    Such files hold a graph of known operators and their weights, and no code. Raises UserError when there is
    no onnxruntime, when the file is no such network, and when it does not give a face 2 or 4 times as large.
    """
    if not path.is_file():
        raise UserError(f"no upscaler {path}", "", "name an ONNX file, or leave --upscaler out")
    if importlib.util.find_spec("onnxruntime") is None:
        raise UserError("an upscaler needs onnxruntime", "", "pip install onnxruntime")
    upscaler = Upscaler(path, on_gpu, limit_s)
    try:
        answer = upscaler.answer(np.full((size_px, size_px, 3), 0.5, np.float32))
    except ValueError as error:
        raise UserError(f"{path} is no upscaler", str(error), _HINT) from None
    if answer.shape not in _shapes(size_px):
        found = f"for {(1, 3, size_px, size_px)} it gives {answer.shape}"
        raise UserError(f"{path} is no upscaler", found, _HINT)
    if not np.isfinite(answer).all():
        raise UserError(f"{path} is no upscaler", "it answers what is no number", _HINT)
    return upscaler


def _shapes(size_px: int) -> list[tuple[int, ...]]:
    return [(1, 3, scale * size_px, scale * size_px) for scale in (2, FACTOR)]
