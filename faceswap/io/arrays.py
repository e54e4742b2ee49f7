"""Arrays on disk: mapped into memory only as what they must be. Nothing that is read here can run code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from faceswap.io.documents import DocumentError


def map_array(
    path: Path, kind: DTypeLike, shape: Sequence[object], mode: Literal["r", "r+"] = "r"
) -> NDArray[Any]:
    """The array of a .npy file, memory-mapped. shape: None where any number will do.

    Raises DocumentError where the file is cut or holds another array, OSError where it cannot be read.
    """
    try:
        stored: NDArray[Any] = np.load(path, mmap_mode=mode, allow_pickle=False)
    except OSError:
        raise
    # Its header is parsed as Python's literals are, whose damage has many names.
    except Exception as error:
        raise DocumentError(f"{path} is no array: {str(error)[:120]}") from None
    fits = isinstance(stored, np.ndarray) and len(stored.shape) == len(shape)
    fits = fits and all(wanted in (None, side) for wanted, side in zip(shape, stored.shape, strict=True))
    if not fits or stored.dtype != np.dtype(kind) or not stored.flags.c_contiguous:
        raise DocumentError(f"{path} holds another array than {np.dtype(kind)} {tuple(shape)}")
    return stored
