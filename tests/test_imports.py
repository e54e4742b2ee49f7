"""The house's rules: imports point down the rooms, none goes round, optional packages load where used."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent

# The rooms (folders and single files in faceswap/), from the lowest layer up: a room may import from the
# layers below its own, and from the rooms left of it in its own.
LAYERS = """
types errors streams console stopping cli system runtime workspace
io config
geometry color augment
models media walk
faceset
align learn
facepack train
masks merge
detector
gui benchmark doctor
"""
ROOMS = {room: place for place, room in enumerate(LAYERS.split())}
# They compute: no file, setting, screen or device is asked for in them.
PURE = {"geometry", "color", "augment"}
EFFECTS = {"io", "media", "config", "workspace", "console", "runtime"}
OPTIONAL = {
    "insightface", "onnxruntime", "onnx", "PySide6", "skimage", "segmentation_models_pytorch", "ray",
    "tensorboard",
}  # fmt: skip
# The first number is what to aim at, the second what nothing exceeds.
FILES_OF_A_ROOM, LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 27, 300, 60
MEDIAN_LINES = range(120, 171)


@cache
def modules() -> dict[str, Path]:
    """Dotted name below faceswap (stages: with "stages." before it) -> file."""
    found = {}
    for path in sorted(REPOSITORY.glob("faceswap/**/*.py")) + sorted(REPOSITORY.glob("stages/**/*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        parts = parts[1:] if parts[0] == "faceswap" else parts
        if name := ".".join(part for part in parts if part != "__init__"):
            found[name] = path
    return found


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@cache
def imports(module: str, *, when_loaded: bool = False, types: bool = True) -> frozenset[str]:
    """What a module imports, anywhere or at once, with names of the library relative to it.

    types: also what is only imported for annotations.
    """
    found = set[str]()
    body = parsed(module).body if types else _statements(parsed(module).body)
    for node in _statements(body) if when_loaded else (part for each in body for part in ast.walk(each)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            modules_inside = {name for name in inside if name.removeprefix("faceswap.") in modules()}
            found |= modules_inside
            if inside - modules_inside:
                found.add(node.module)
    return frozenset(name.removeprefix("faceswap.") for name in found)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node


def room(module: str) -> str:
    return module.partition(".")[0]


def own(module: str) -> set[str]:
    """The library's modules that a module imports."""
    return {name for name in imports(module) if name in modules() and name != module}


LIBRARY = [name for name in modules() if room(name) != "stages"]


def test_every_room_has_its_place_and_every_place_a_room() -> None:
    assert {room(name) for name in LIBRARY} == set(ROOMS)


def test_imports_point_down_the_layers() -> None:
    upward = {
        f"{module} imports {name}"
        for module in LIBRARY
        for name in own(module)
        if room(name) == "stages" or ROOMS[room(name)] > ROOMS[room(module)]
    }
    assert not upward


def test_no_stage_imports_another_stage() -> None:
    stages = [name for name in modules() if room(name) == "stages"]
    of = {name: ".".join(name.split(".")[:2]) for name in stages}
    assert not {
        f"{name} imports {other}"
        for name in stages
        for other in own(name)
        if other in of and of[other] not in (of[name], "stages")
    }


def test_no_imports_go_round() -> None:
    left = {name: imports(name, types=False) & modules().keys() - {name} for name in modules()}
    while ends := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in ends}
    # What only leads to a circle is in none.
    while starts := left.keys() - {other for others in left.values() for other in others}:
        left = {name: others for name, others in left.items() if name not in starts}
    assert not left


def test_training_and_merging_know_neither_the_detector_nor_each_other() -> None:
    strangers = {"train": {"merge", "detector"}, "merge": {"train", "detector"}}
    assert not {
        f"{module} imports {name}"
        for module in LIBRARY
        for name in own(module)
        if room(name) in strangers.get(room(module), ())
    }


def test_pure_rooms_ask_for_no_file_setting_screen_or_device() -> None:
    assert not {
        f"{module} imports {name}"
        for module in LIBRARY
        if room(module) in PURE
        for name in own(module)
        if room(name) in EFFECTS
    }


def test_optional_packages_are_imported_where_they_are_used() -> None:
    # The windows' own room is loaded only where a window is opened.
    assert not {
        f"{module} imports {name}: do it in the function that needs it"
        for module in LIBRARY
        for name in imports(module, when_loaded=True)
        if room(name) in OPTIONAL - ({"PySide6"} if room(module) == "gui" else set())
    }


def test_qt_lives_only_in_gui() -> None:
    outside = [name for name in LIBRARY if room(name) != "gui"]
    assert not {name for name in outside if "PySide6" in {room(other) for other in imports(name)}}


def test_a_room_has_few_files() -> None:
    flat: dict[str, int] = {}
    for path in modules().values():
        folder = str(path.parent.relative_to(REPOSITORY))
        flat[folder] = flat.get(folder, 0) + (path.name != "__init__.py")
    assert not {folder: count for folder, count in flat.items() if count > FILES_OF_A_ROOM}


def test_files_and_functions_stay_short() -> None:
    lines = {
        name: len(path.read_text(encoding="utf-8").splitlines())
        for name, path in modules().items()
        if len(parsed(name).body) > 1  # not those that only say what a room is
    }
    assert not {name: count for name, count in lines.items() if count > LINES_OF_A_FILE}
    assert int(statistics.median(lines.values())) in MEDIAN_LINES
    functions = [
        (node.end_lineno - node.lineno + 1, f"{name}.{node.name}")
        for name in modules()
        for node in ast.walk(parsed(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]
    assert max(functions)[0] <= LINES_OF_A_FUNCTION, max(functions)


def test_training_needs_only_torch_numpy_and_opencv() -> None:
    code = "import sys, stages.train; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=True
    )
    assert not OPTIONAL & set(done.stdout.split())
