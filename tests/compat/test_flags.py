"""Every stage takes the flags that it took before: scripts and settings files of its users go on working.

flags.json was made by this file at the commit before the house was redesigned; run as a program it writes
that anew, after a flag was added or taken away on purpose.
"""

import importlib
import json
from pathlib import Path

from faceswap.cli import flags_of

FILE = Path(__file__).with_name("flags.json")
STAGES = Path(__file__).parents[2] / "stages"


def flags() -> dict[str, list[str]]:
    """The flags of every stage, and of every action of those that have some."""
    names = {path.stem for path in STAGES.glob("[!_]*.py")} | {
        p.parent.name for p in STAGES.glob("*/__init__.py")
    }
    found = {}
    for name in sorted(names):
        module = importlib.import_module(f"stages.{name}")
        settings = (
            {name: module.Settings}
            if hasattr(module, "Settings")
            else {f"{name} {action}": taken for action, (taken, _) in module.ACTIONS.items()}
        )
        found |= {words: sorted(flags_of(taken.model_fields)) for words, taken in settings.items()}
    return found


def test_every_stage_takes_the_flags_that_it_took() -> None:
    assert flags() == json.loads(FILE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    FILE.write_text(json.dumps(flags(), indent=1) + "\n", encoding="utf-8")
