"""6.2 model: list models and their backups, back one up, go back to one, delete one

    python -m stages.model list [NAME]
    python -m stages.model backup NAME
    python -m stages.model restore NAME [--iteration N]
    python -m stages.model delete NAME

`restore` makes a backup the model again; what it was until then becomes a backup itself. `delete` moves a
model to model_trash, from which `restore` brings it back; to free the room, delete it there.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import CliPositionalArg

from faceswap.config import StageSettings, option, run_actions
from faceswap.console import command, say
from faceswap.errors import UserError
from faceswap.io.files import free_folder, gib
from faceswap.io.lock import FolderLock
from faceswap.learn import checkpoint


class List(StageSettings):
    name: CliPositionalArg[str | None] = Field(None, description="this model only")


class One(StageSettings):
    name: CliPositionalArg[str] = Field(description="name of the model")

    @property
    def folder(self) -> Path:
        return self.place.model(self.name)

    @property
    def trash(self) -> Path:
        return self.workspace / "model_trash" / self.name


class Restore(One):
    iteration: int | None = option(None, "which backup (default: the newest that is older)", ge=0)


def list_models(cfg: List) -> None:
    """List all models, or one, with their backups."""
    names = [cfg.name] if cfg.name else sorted(p.name for p in cfg.place.models.glob("*") if p.is_dir())
    if not names:
        say(f"no models in {cfg.place.models}")
    folders = {name: cfg.place.model(name) for name in names}
    from faceswap.learn import backups

    for name, folder in folders.items():
        for number, path in enumerate(checkpoint.saved(folder)):
            say(f"{name if number == 0 else '':<20} {_row(path)}")
        for backup in backups.list_backups(folder):
            say(f"{'':<20} {_row(backup.path)}")


def back_up(cfg: One) -> None:
    """Keep the newest checkpoint of a model, also while it is trained."""
    folder = cfg.folder
    # torch takes seconds to import; what is missing should be said at once.
    from faceswap.learn import backups

    say(f"backup {backups.back_up(folder, 'hand').path} made")


def restore(cfg: Restore) -> None:
    """Go back to a backup, or bring a deleted model back."""
    with FolderLock(cfg.place.models / cfg.name):
        if cfg.trash.is_dir() and not (cfg.place.models / cfg.name).exists():
            newest = max(cfg.trash.iterdir(), key=lambda path: path.name)
            newest.rename(cfg.place.models / cfg.name)
            say(f"model {cfg.name} is back")
            if cfg.iteration is None:
                return
        from faceswap.learn import backups

        chosen = backups.restore(cfg.folder, cfg.iteration)
    say(f"model {cfg.name} is at iteration {chosen.iteration} again; what was newer is among its backups")
    say(f"next: {command('stages.train', '--workspace', cfg.workspace, '--model', cfg.name)}")


def delete(cfg: One) -> None:
    """Move a model to model_trash."""
    target = free_folder(cfg.trash)
    with FolderLock(cfg.folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        cfg.folder.rename(target)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    say(f"model {cfg.name} ({gib(size)}) is in {target}; delete that folder to free the room")
    say(f"to bring it back: {command('stages.model', 'restore', cfg.name, '--workspace', cfg.workspace)}")


def _row(path: Path) -> str:
    try:
        state = checkpoint.read_state(path)
    except (checkpoint.DamagedError, UserError) as error:
        return f"{path.name:<20} damaged: {error}"
    size = sum(file["bytes"] for file in state["files"].values())
    when = datetime.fromtimestamp((path / checkpoint.STATE).stat().st_mtime).isoformat(" ", "minutes")
    spec = state.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    what = f"{spec.get('arch', '')} {spec.get('resolution', '')}".strip()
    hours = float(state.get("elapsed_s", 0)) / 3600
    trained = f"iteration {state['iteration']:>8}, {hours:.1f} h"
    return f"{path.name:<20} {trained:<28} {what:<14} {gib(size):>9}  {when}"


ACTIONS: dict[str, tuple[Any, Callable[[Any], None]]] = {
    "list": (List, list_models),
    "backup": (One, back_up),
    "restore": (Restore, restore),
    "delete": (One, delete),
}

if __name__ == "__main__":
    run_actions(ACTIONS, __doc__)
