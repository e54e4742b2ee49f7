"""The face-swap workbench: frames to faces to masks to training to merging to a marked video.

As a library: the names of `__all__`, loaded when they are first used, so that `import faceswap` is light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "FaceAnalyzer",
    "Faceset",
    "Judge",
    "MergeSettings",
    "UserError",
    "load_detector",
    "load_model",
    "load_pack",
    "read_image",
    "run_selftest",
    "swap_frame",
    "write_image",
]

if TYPE_CHECKING:
    from faceswap.align.analysis import FaceAnalyzer
    from faceswap.align.packs import load_pack
    from faceswap.detector.network.files import load_detector
    from faceswap.detector.network.judge import Judge
    from faceswap.detector.selftest.selftest import run_selftest
    from faceswap.errors import UserError
    from faceswap.faceset.store import Faceset
    from faceswap.io.images import read_image, write_image
    from faceswap.merge.picture import load_model, swap_frame
    from faceswap.merge.settings import MergeSettings

_HOMES = {
    "FaceAnalyzer": "align.analysis",
    "Faceset": "faceset.store",
    "Judge": "detector.network.judge",
    "MergeSettings": "merge.settings",
    "UserError": "errors",
    "load_detector": "detector.network.files",
    "load_model": "merge.picture",
    "load_pack": "align.packs",
    "read_image": "io.images",
    "run_selftest": "detector.selftest.selftest",
    "swap_frame": "merge.picture",
    "write_image": "io.images",
}


def __getattr__(name: str) -> Any:
    """A public name from the module it lives in (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
