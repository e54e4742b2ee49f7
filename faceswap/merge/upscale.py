"""A user's own super-resolution network, in place of the bundled method."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from faceswap.errors import UserError
from faceswap.io.files import sha256
from faceswap.merge.enhance import FACTOR
from faceswap.types import Image

_HINT = "name an ONNX network from (1, 3, H, W) float32 RGB in [0, 1] to the same 2 or 4 times as large"


class Upscaler:
    """An `Enhancer` from an ONNX file; `identity` changes with the file."""

    def __init__(self, session: Any, identity: str) -> None:
        self.identity = identity
        self._session, (self._input,) = session, session.get_inputs()

    def enhance(self, face: Image) -> Image:
        """(4R, 4R, 3) for a face (R, R, 3), both float32 RGB in [0, 1]; what a network of × 2 gives is
        enlarged by cubic interpolation. Raises UserError where it gives no picture.
        """
        try:
            answer = np.asarray(self.answer(face), np.float32)
        except Exception as error:  # onnxruntime raises its own kinds
            raise UserError("the upscaler fails", str(error).splitlines()[0][:200], _HINT) from None
        if answer.shape not in _shapes(face.shape[0]) or not np.isfinite(answer).all():
            raise UserError("the upscaler answers what is no picture", f"{answer.shape}", _HINT)
        fine = np.ascontiguousarray(answer[0].transpose(1, 2, 0))
        size = (FACTOR * face.shape[1], FACTOR * face.shape[0])
        if fine.shape[1::-1] != size:
            fine = cv2.resize(fine, size, interpolation=cv2.INTER_CUBIC)
        return np.asarray(np.clip(fine, 0, 1), np.float32)

    def answer(self, face: Image) -> Any:
        """What the network gives, as it is."""
        planes = np.ascontiguousarray(face.transpose(2, 0, 1)[None])
        return self._session.run(None, {self._input.name: planes})[0]


def load_upscaler(path: Path, size_px: int, on_gpu: bool) -> Upscaler:
    """The network in an ONNX file, tried on a face of size_px².

    Such files hold a graph of known operators and their weights, and no code. Raises UserError when there is
    no onnxruntime, when the file is no such network, and when it does not give a face 2 or 4 times as large.
    """
    if not path.is_file():
        raise UserError(f"no upscaler {path}", "", "name an ONNX file, or leave --upscaler out")
    try:
        upscaler = Upscaler(_session(path, on_gpu), f"upscaler {sha256(path)}")
        answer = np.asarray(upscaler.answer(np.full((size_px, size_px, 3), 0.5, np.float32)), np.float32)
    except ImportError:
        raise UserError("an upscaler needs onnxruntime", "", "pip install onnxruntime") from None
    except Exception as error:  # onnxruntime and protobuf raise their own kinds
        raise UserError(f"{path} is no upscaler", str(error).splitlines()[0], _HINT) from None
    if answer.shape not in _shapes(size_px):
        found = f"for {(1, 3, size_px, size_px)} it gives {answer.shape}"
        raise UserError(f"{path} is no upscaler", found, _HINT)
    if not np.isfinite(answer).all():
        raise UserError(f"{path} is no upscaler", "it answers what is no number", _HINT)
    return upscaler


def _shapes(size_px: int) -> list[tuple[int, ...]]:
    return [(1, 3, scale * size_px, scale * size_px) for scale in (2, FACTOR)]


def _session(path: Path, on_gpu: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Frames are composited in parallel; threads within would only compete.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    wanted = ["CUDAExecutionProvider"] * on_gpu + ["CPUExecutionProvider"]
    available = onnxruntime.get_available_providers()
    providers = [provider for provider in wanted if provider in available]
    return onnxruntime.InferenceSession(str(path), options, providers=providers)
