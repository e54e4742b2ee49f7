"""List the stages, numbered, or run one by number or name: `python -m stages 6 --arch DF-UD`."""

import ast
import runpy
import sys
from pathlib import Path

from faceswap.cli import nearest


def stages() -> dict[str, tuple[str, str]]:
    """Number -> (module, one line), read from the docstrings `N name: line` without importing anything."""
    found = {}
    folder = Path(__file__).parent
    for path in (*folder.glob("[!_]*.py"), *(package.parent for package in folder.glob("*/__init__.py"))):
        file = path / "__init__.py" if path.is_dir() else path
        line = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        number, _, rest = line.partition(" ")
        found[path.stem] = (number, rest.partition(": ")[2])
    return dict(sorted(found.items(), key=lambda item: (_order(item[1][0]), item[0])))


def _order(number: str) -> tuple[int, ...]:
    parts = number.split(".")
    return tuple(int(p) for p in parts) if all(p.isdigit() for p in parts) else (99,)


def main(words: list[str]) -> int:
    known = stages()
    if not words or words[0] in ("-h", "--help"):
        print("python -m stages.NAME --help tells what a stage does and takes.\n")
        for name, (number, line) in known.items():
            print(f"{number:>4}  {name:<12} {line}")
        return 0
    chosen = [name for name, (number, _) in known.items() if words[0] in (name, number)]
    if not chosen:
        found = "".join(f"\n  {line}" for line in (nearest(words[0], known),) if line)
        print(f"error: no stage {words[0]!r}{found}\n  type python -m stages for the list", file=sys.stderr)
        return 2
    sys.argv = [f"stages.{chosen[0]}", *words[1:]]
    runpy.run_module(f"stages.{chosen[0]}", run_name="__main__", alter_sys=True)
    return 0


def program() -> None:
    """`faceswap STAGE …`, the console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    program()
