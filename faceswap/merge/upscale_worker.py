"""The process that runs a user's network: faces come on standard input, answers go to standard output.

Native code cannot be interrupted, but its process can be ended. Every message is a head, four int32, and its
content: of a face height, width, 3 and 1, of an answer the four lengths of its shape, then float32 values; a
head of (-1, bytes, 0, 0) is followed by a text that says why there is no answer.
"""

import struct
import sys
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

HEAD = struct.Struct("<4i")


def write(pipe: IO[bytes], values: NDArray[np.float32]) -> None:
    """Send an array of three or four dimensions."""
    pipe.write(HEAD.pack(*(*values.shape, 1)[:4]))
    pipe.write(np.ascontiguousarray(values).data)
    pipe.flush()


def read(pipe: IO[bytes]) -> NDArray[np.float32]:
    """Receive an array of four dimensions; EOFError at the end, ValueError with the other side's words."""
    head = pipe.read(HEAD.size)
    if len(head) < HEAD.size:
        raise EOFError
    shape = HEAD.unpack(head)
    if shape[0] < 0:
        raise ValueError(pipe.read(shape[1]).decode("utf-8", "replace"))
    data = pipe.read(4 * int(np.prod(shape, dtype=np.int64)))
    if len(data) < 4 * np.prod(shape, dtype=np.int64):
        raise EOFError
    return np.frombuffer(data, np.float32).reshape(shape)


def refuse(pipe: IO[bytes], why: str) -> None:
    """Say that there is no answer."""
    words = why.encode("utf-8", "replace")[:1000]
    pipe.write(HEAD.pack(-1, len(words), 0, 0) + words)
    pipe.flush()


def _session(path: str, on_gpu: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Frames are composited in parallel; threads within would only compete.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    wanted = ["CUDAExecutionProvider"] * on_gpu + ["CPUExecutionProvider"]
    available = onnxruntime.get_available_providers()
    providers = [provider for provider in wanted if provider in available]
    return onnxruntime.InferenceSession(path, options, providers=providers)


def main(path: str, on_gpu: str) -> None:
    faces, answers = sys.stdin.buffer, sys.stdout.buffer
    session, fault = None, ""
    try:
        session = _session(path, on_gpu == "gpu")
        (asked,) = session.get_inputs()
    except Exception as error:  # onnxruntime and protobuf raise their own kinds
        fault = f"{error}".partition("\n")[0] or type(error).__name__
    while True:
        try:
            face = read(faces)[..., 0]
        except EOFError:
            return
        try:
            if session is None:
                raise ValueError(fault)
            answer = session.run(None, {asked.name: np.ascontiguousarray(face.transpose(2, 0, 1)[None])})[0]
            answer = np.asarray(answer, np.float32)
            if answer.ndim != 4:
                raise ValueError(f"it answers {answer.shape}")
        except Exception as error:
            refuse(answers, f"{error}".partition("\n")[0] or type(error).__name__)
            continue
        write(answers, answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
