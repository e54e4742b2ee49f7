"""What a window asks of a running training: empty files in the run folder, taken when they are seen.

    RUN/requests/save      the training saves now (backup: and keeps that; stop: and ends;
                           samples: the previews show other faces)

Files work wherever the folder can be written, so a window on another machine can ask as well.
"""

from pathlib import Path
from typing import Literal, TypeAlias, get_args

Request: TypeAlias = Literal["save", "backup", "stop", "samples"]
_FOLDER = "requests"


def ask(run: Path, request: Request) -> None:
    """Ask the training of run folder `run` for something."""
    path = run / _FOLDER / request
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def take(run: Path) -> set[Request]:
    """What was asked for since; it counts as done from now on."""
    taken: set[Request] = set()
    for request in get_args(Request):
        try:
            (run / _FOLDER / request).unlink()
        except OSError:
            continue
        taken.add(request)
    return taken


def pending(run: Path) -> set[Request]:
    """What was asked for and not taken yet."""
    return {request for request in get_args(Request) if (run / _FOLDER / request).exists()}
