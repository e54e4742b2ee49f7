"""The house's rule of direction: imports point down the layers, optional packages load where used."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent

# A module may import from its own layer only what ALLOWED names, and anything from lower layers.
LAYERS = [
    {"types", "errors", "commands", "system"},
    {"cli", "config", "workspace", "walk", "console", "runtime", "stopping", "streams", "io"},
    {
        "models",
        "color",
        "faces.geometry",
        "faces.landmarks",
        "faces.template",
        "faces.warp",
        "train.blur",
        "train.losses",
        "merge.clone",
        "merge.compose",
        "merge.enhance",
        "merge.filters",
        "merge.finish",
        "merge.masks",
        "merge.motion",
        "merge.settings",
        "merge.warp",
    },
    {"faceset"},
    {"faces", "facepack", "masks.crops", "masks.segmenter"},
    {"train", "merge", "detector", "provenance"},
    {"masks"},
    {"gui", "benchmark", "doctor"},
]
PURE = [
    "faces.geometry",
    "faces.landmarks",
    "faces.warp",
    "color",
    "faces.smoothing",
    "faces.tracks",
    "faceset.polygons",
    "masks.carry",
    "masks.crops",
    "masks.document",
    "masks.picking",
    "masks.strokes",
    "masks.suggest",
    "masks.temporal",
    "masks.views",
    "merge.clone",
    "merge.compose",
    "merge.enhance",
    "merge.filters",
    "merge.finish",
    "merge.masks",
    "merge.motion",
    "merge.warp",
    "train.augment",
    "train.blur",
    "train.colour",
    "train.losses",
    "train.sampling",
    "train.styles",
    "models",
]
OPTIONAL = {
    "insightface", "onnxruntime", "onnx", "PySide6", "skimage", "segmentation_models_pytorch", "ray",
    "tensorboard",
}  # fmt: skip
HEAVY_ONCE = {"faces", "facepack"}


@cache
def modules() -> dict[str, Path]:
    paths = sorted((REPOSITORY / "faceswap").rglob("*.py"))
    parts = [path.relative_to(REPOSITORY / "faceswap").with_suffix("").parts for path in paths]
    names = [".".join(part for part in each if part != "__init__") for each in parts]
    return dict(zip(names, paths, strict=True))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = parsed(path)
    nodes = [*_skip_type_checking(tree.body)] if top_level_only else [*ast.walk(tree)]
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _skip_type_checking(body: list[ast.stmt]) -> list[ast.stmt]:
    return [n for n in body if not (isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test))]


def layer(module: str) -> int:
    """The layer of the longest named prefix of `module`."""
    best = (0, -1)
    for index, names in enumerate(LAYERS):
        for name in names:
            if module == name or module.startswith(name + "."):
                best = max(best, (len(name), index))
    return best[1]


def own(module: str) -> set[str]:
    """What `module` imports from the library, as names relative to it."""
    path = modules()[module]
    return {name.removeprefix("faceswap.") for name in imports(path) if name.startswith("faceswap.")}


ALL = [name for name in modules() if name]


@pytest.mark.parametrize("module", ALL)
def test_a_module_imports_only_from_its_own_or_lower_layers(module: str) -> None:
    assert layer(module) >= 0, f"{module} belongs to no layer: name it in LAYERS"
    upward = {name for name in own(module) if layer(name) > layer(module)}
    assert not upward, f"{module} imports upward: {sorted(upward)}"


@pytest.mark.parametrize("module", ALL)
def test_train_merge_detector_and_gui_know_only_what_they_may(module: str) -> None:
    subject = module.partition(".")[0]
    forbidden = {"train": {"merge", "detector", "gui"}, "merge": {"train", "detector", "gui"}}.get(
        subject, {"gui"}
    )
    if subject != "gui":
        assert not {name for name in own(module) if name.partition(".")[0] in forbidden}


@pytest.mark.parametrize("module", ALL)
def test_no_library_module_imports_a_stage(module: str) -> None:
    assert not {name for name in imports(modules()[module]) if name.split(".")[0] == "stages"}


@pytest.mark.parametrize("path", sorted((REPOSITORY / "stages").glob("*.py")), ids=lambda path: path.stem)
def test_no_stage_imports_another_stage(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] == "stages"}


@pytest.mark.parametrize("module", [m for m in ALL if any(m == p or m.startswith(p + ".") for p in PURE)])
def test_pure_modules_import_no_io_no_settings_no_device(module: str) -> None:
    effects = {"io", "config", "workspace", "console", "runtime"}
    if module.partition(".")[0] == "models":
        effects -= {"io"}
    assert not {name for name in own(module) if name.partition(".")[0] in effects}


@pytest.mark.parametrize("module", ALL)
def test_optional_packages_are_imported_where_they_are_used(module: str) -> None:
    roots = {name.partition(".")[0] for name in imports(modules()[module], top_level_only=True)}
    # The windows' own layer is loaded only where a window is opened.
    own = {"PySide6"} if module.startswith("gui.") else set()
    assert not roots & OPTIONAL - own, f"import {sorted(roots & OPTIONAL)} inside the function that needs it"


@pytest.mark.parametrize("module", ALL)
def test_qt_lives_only_in_gui(module: str) -> None:
    if not module.startswith("gui"):
        assert not {name for name in imports(modules()[module]) if name.startswith("PySide6")}


def test_training_needs_only_torch_numpy_and_opencv() -> None:
    code = "import sys, stages.train; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=True
    )
    assert not OPTIONAL & set(done.stdout.split())
