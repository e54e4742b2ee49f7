"""What stages are run on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from faceswap.types import Side


@pytest.fixture
def workspace(tmp_path: Path, make_faces: Callable[..., None]) -> Path:
    """Four faces of src and three of dst."""
    make_faces(tmp_path / "data_src" / "aligned", 4, Side.SRC)
    make_faces(tmp_path / "data_dst" / "aligned", 3, Side.DST)
    return tmp_path
