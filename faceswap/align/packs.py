"""Face-model packs: folders of ONNX models in insightface's format, found, loaded and checked.

insightface tells models apart by their outputs and input sizes and runs them; a pack needs a face
finder (`detection`) and a model of 68 landmarks, and may have a recogniser. `bundled` is the pack in
assets/faces; `buffalo_l` and the like are insightface's own.
"""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceswap.errors import UserError
from faceswap.runtime import DeviceName
from faceswap.workspace import assets

BUNDLED = "bundled"
INSIGHTFACE_HOME = Path.home() / ".insightface"
# In this order: points fitted to the picture before points projected from a 3-D head.
_LANDMARKERS = ("landmark_2d_68", "landmark_3d_68")


@dataclass(frozen=True)
class Pack:
    """The models of a pack, insightface's own objects; each may be called from several threads."""

    folder: Path
    finder: Any
    landmarker: Any
    landmarks_key: str
    recogniser: Any | None


def load_pack(name: str, device: DeviceName = "auto", threads: int = 1) -> Pack:
    """Load the pack called `name`: "bundled", a folder, or a name in insightface's home or on its server.

    threads: cores that one call of a model may use. Raises UserError when the pack is missing, damaged or
    lacks a needed model, or `device` cannot be used.
    """
    from insightface.app import FaceAnalysis

    folder = find_pack(name)
    if not any(folder.glob("*.onnx")):
        raise UserError(
            f"{folder} holds no ONNX models", _listing(folder), "name another pack: --face-models PACK"
        )
    try:
        models = FaceAnalysis(
            name=str(folder),
            allowed_modules=["detection", *_LANDMARKERS, "landmark_2d_106", "recognition"],
            providers=_providers(device),
            sess_options=_options(threads),
            # A session of its own for every frame size would fill the memory on a folder of photographs.
            static_shape_sessions=False,
        ).models
    except AssertionError:
        models = {}
    except Exception as error:  # onnxruntime, protobuf and insightface each raise their own kinds
        raise UserError(
            f"a model in {folder} cannot be loaded", str(error), _how_to_get(folder.name)
        ) from error
    return _choose(folder, models)


def find_pack(name: str) -> Path:
    """The folder of a pack; downloads insightface's packs when they are asked for by name."""
    if name == BUNDLED:
        return assets() / "faces"
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    if Path(name).name != name or name in ("", ".", ".."):
        raise UserError(f"no folder {name}", "", "--face-models takes a folder, or a name such as buffalo_l")
    known = INSIGHTFACE_HOME / "models" / name
    return known if known.is_dir() else _download(name)


def _download(name: str) -> Path:
    import requests
    from insightface.utils import ensure_available

    try:
        # insightface prints addresses and paths meanwhile; its outcome is told in our own words.
        with contextlib.redirect_stdout(io.StringIO()):
            return Path(ensure_available("models", name, root=str(INSIGHTFACE_HOME)))
    except (requests.RequestException, RuntimeError, OSError) as error:
        raise UserError(
            f"face-model pack {name!r} is not on this machine and could not be downloaded",
            f"{type(error).__name__}: {error}"[:200],
            _how_to_get(name),
        ) from None


def _how_to_get(name: str) -> str:
    place = INSIGHTFACE_HOME / "models" / name
    return f"put its .onnx files into {place}, or use the bundled pack: --face-models {BUNDLED}"


def _choose(folder: Path, models: dict[str, Any]) -> Pack:
    if "detection" not in models:
        raise UserError(f"{folder} holds no face finder", _listing(folder), _how_to_get("buffalo_l"))
    key = next((key for key in _LANDMARKERS if key in models), None)
    if key is None:
        found = (
            "it has 106 landmarks, which do not map to them"
            if "landmark_2d_106" in models
            else _listing(folder)
        )
        raise UserError(f"{folder} holds no model of 68 landmarks", found, _how_to_get("buffalo_l"))
    recogniser = models.get("recognition")
    if recogniser is not None and _normalises(recogniser.model_file):
        recogniser.input_mean, recogniser.input_std = 0.0, 1.0
    return Pack(folder, models["detection"], models[key], key, recogniser)


def _normalises(model_file: str) -> bool:
    """Whether a graph takes pixels of 0 … 255 and centres them itself.

    insightface tells by the names of its nodes, and shows people without names to such a graph all alike.
    """
    import onnx

    first = onnx.load(model_file, load_external_data=False).graph.node[:2]
    return [node.op_type for node in first] in (["Sub", "Mul"], ["Sub", "Div"])


def _listing(folder: Path) -> str:
    return "found " + (", ".join(sorted(path.name for path in folder.iterdir())[:12]) or "nothing")


def _options(threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _providers(device: DeviceName) -> list[str]:
    """onnxruntime's execution providers for a device; its CPU provider always comes last."""
    import onnxruntime

    wanted = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
    available = onnxruntime.get_available_providers()
    cpu = ["CPUExecutionProvider"]
    if device == "auto":
        return [wanted["cuda"], *cpu] if wanted["cuda"] in available else cpu
    if device == "cpu":
        return cpu
    if wanted[device] not in available:
        raise UserError(
            f"--device {device} was asked for, but this onnxruntime cannot use it",
            f"it offers {', '.join(available)}",
            "type --device cpu, or replace onnxruntime by onnxruntime-gpu (never both)",
        )
    return [wanted[device], *cpu]
