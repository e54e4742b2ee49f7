"""Checkpoints: tensors as safetensors, everything readable as JSON, hashed, whole or not there at all.

    RUN/checkpoints/00012000/weights.safetensors, optimizer.safetensors, …, state.json

`state.json` is written last and holds the SHA-256 of every part and of itself, because safetensors has
no checksum of its own. The directory is filled under a hidden name and renamed, so a killed save leaves
the older checkpoints as they were. Nothing that is read here can run code.
"""

import errno
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import BaseModel, Field
from safetensors import SafetensorError

from faceswap.errors import UserError
from faceswap.io.documents import Count, Digest, DocumentError, FileName, Finite, fitted, read_json
from faceswap.io.files import remove_folder, replace_folder, sha256, share, sync
from faceswap.types import Json

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
STATE = "state.json"
# ".old" exists only while a checkpoint is being replaced by another of the same iteration.
_NAME = re.compile(r"(\d{8,})(\.old)?")


@dataclass(frozen=True)
class Loaded:
    """An intact checkpoint: its state, its tensors by part, and what had to be passed over to find it."""

    state: Json
    tensors: dict[str, dict[str, "Tensor"]]
    path: Path
    rejected: tuple[str, ...] = ()
    damaged: tuple[Path, ...] = ()

    @property
    def iteration(self) -> int:
        return int(self.state["iteration"])


class _File(BaseModel):
    bytes: Count
    sha256: Digest


class _State(BaseModel):
    """What every checkpoint says; the rest is for whoever saved it to know."""

    schema_number: Annotated[int, Field(ge=1, alias="schema")]
    iteration: Annotated[int, Field(ge=0, le=10**9)]
    files: dict[FileName, _File]
    elapsed_s: Annotated[Finite, Field(ge=0)] = 0.0
    seconds: Annotated[Finite, Field(ge=0)] = 0.0


class DamagedError(Exception):
    """A checkpoint directory that cannot be trusted; the text says why."""


Accept: TypeAlias = Callable[[Loaded], object]


def _anything(_: Loaded) -> None:
    pass


def save(folder: Path, parts: Mapping[str, Mapping[str, "Tensor"]], state: Json, keep: int = 2) -> Path:
    """Write a checkpoint of run `folder` at `state["iteration"]`, then drop all but the `keep` newest.

    Tensors may lie on any device, in any memory format, and may share storage. Returns the checkpoint's
    directory. Raises OSError when the disk is full or read-only; older checkpoints are then untouched.
    """
    root = folder / "checkpoints"
    root.mkdir(parents=True, exist_ok=True)
    for leftover in root.glob(".*.tmp"):
        shutil.rmtree(leftover)
    final = root / f"{state['iteration']:08d}"
    write(root / f".{final.name}.tmp", parts, state)
    replace_folder(root / f".{final.name}.tmp", final)
    for old in _candidates(root)[keep:]:
        remove_folder(old)
    return final


def write(path: Path, parts: Mapping[str, Mapping[str, "Tensor"]], state: Json) -> None:
    """Fill the new directory `path` with parts and state and sync it to the disk; removes it on failure."""
    path.mkdir(parents=True)
    try:
        files = {}
        for name, tensors in parts.items():
            file = path / f"{name}.safetensors"
            _write_part(file, tensors)
            files[file.name] = {"bytes": file.stat().st_size, "sha256": sha256(file)}
        content = {"schema": SCHEMA, **state, "files": files}
        text = json.dumps({**content, "sha256": _state_hash(content)}, indent=1, ensure_ascii=False) + "\n"
        (path / STATE).write_bytes(text.encode())
        sync(path / STATE)
        sync(path)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def load(folder: Path, parts: Sequence[str] | None = None, accept: Accept = _anything) -> Loaded:
    """The newest intact checkpoint of run `folder` with the named parts (None: all it has), on the CPU.

    Damaged ones (cut, flipped bit, part missing, numbers that are none, whatever `accept` raises DamagedError
    or UserError for) are passed over and named in `rejected`.
    Raises UserError when there is no checkpoint, or none is intact. Changes nothing on disk.
    """
    rejected: list[str] = []
    damaged: list[Path] = []
    for path in saved(folder):
        try:
            loaded = _accepted(path, parts, accept)
            if loaded.iteration != int(path.name.partition(".")[0]):
                raise DamagedError(f"its state is of iteration {loaded.iteration}")
        except DamagedError as error:
            rejected.append(f"checkpoint {path.name} is damaged: {error}")
            damaged.append(path)
            continue
        return replace(loaded, rejected=tuple(rejected), damaged=tuple(damaged))
    if rejected:
        hint = f"restore {folder} from a backup, or delete the folder and train anew"
        raise UserError(f"no intact checkpoint in {folder}", "\n  ".join(rejected), hint)
    raise UserError(f"no checkpoint in {folder}", "", "train first: python -m stages.train")


def read(path: Path, parts: Sequence[str] | None = None, accept: Accept = _anything) -> Loaded:
    """One checkpoint directory, such as a bundled base model; UserError when it is missing or damaged.

    accept: see `load`.
    """
    if not (path / STATE).is_file():
        raise UserError(f"{path} is no checkpoint", f"no {STATE} in it", f"name a folder that holds {STATE}")
    try:
        return _accepted(path, parts, accept)
    except DamagedError as error:
        raise UserError(
            f"checkpoint {path} is damaged", str(error), "restore it from where it came"
        ) from None


def exists(folder: Path) -> bool:
    """Whether run `folder` has any checkpoint, intact or not."""
    return bool(saved(folder))


def saved(folder: Path) -> list[Path]:
    """The checkpoint directories of run `folder`, newest first, intact or not."""
    return _candidates(folder / "checkpoints")


def set_aside(loaded: Loaded) -> None:
    """Rename the damaged checkpoints that `load` passed over, so that they never displace intact ones."""
    for path in loaded.damaged:
        target = path.with_name(f"{path.name}.damaged")
        shutil.rmtree(target, ignore_errors=True)
        path.rename(target)


def _candidates(root: Path) -> list[Path]:
    """Complete checkpoint directories, newest first; hidden names are unfinished saves."""
    if not root.is_dir():
        return []
    found = [
        (match, path) for path in root.iterdir() if (match := _NAME.fullmatch(path.name)) and path.is_dir()
    ]
    return [path for _, path in sorted(found, key=lambda item: (-int(item[0][1]), item[1].name))]


def _write_part(file: Path, tensors: Mapping[str, "Tensor"]) -> None:
    owned: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        # The writer refuses strided tensors, and tensors that share memory with one another.
        plain = tensor.detach().cpu().contiguous()
        owned[name] = plain.clone() if plain.untyped_storage().data_ptr() in seen else plain
        seen.add(plain.untyped_storage().data_ptr())
    try:
        # torch takes seconds to import, and who only lists checkpoints needs none of it.
        from safetensors.torch import save_file

        save_file(owned, file)
        share(file)
    except SafetensorError as error:
        # It hides the system's error number in its text; the stage explains numbers, not texts.
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error), str(file)) from error
    sync(file)


def not_finite(tensors: Mapping[str, "Tensor"]) -> str:
    """A sentence about the tensors that hold what is no number, "" where all is well."""
    broken = [
        name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()
    ]
    return f"{len(broken)} of its tensors hold what is no number, such as {broken[0]}" if broken else ""


def _accepted(path: Path, parts: Sequence[str] | None, accept: Accept) -> Loaded:
    loaded = Loaded(*_read(path, parts), path)
    try:
        accept(loaded)
    except UserError as error:
        raise DamagedError(str(error).replace("\n  ", "; ")) from None
    return loaded


def _read(path: Path, parts: Sequence[str] | None) -> tuple[Json, dict[str, dict[str, "Tensor"]]]:
    state = read_state(path)
    tensors = {}
    for part in parts if parts is not None else [Path(name).stem for name in state["files"]]:
        file = path / f"{part}.safetensors"
        _check(file, state["files"].get(file.name))
        try:
            from safetensors.torch import load_file

            tensors[part] = load_file(file)
        except (SafetensorError, OSError, ValueError) as error:
            raise DamagedError(f"{file.name} cannot be read ({str(error)[:120]})") from None
        if odd := not_finite(tensors[part]):
            raise DamagedError(f"{file.name}: {odd}")
    return state, tensors


def read_state(path: Path) -> Json:
    """The state of a checkpoint directory without its tensors; DamagedError where it cannot be trusted."""
    try:
        content = read_json(path / STATE)
    except OSError as error:
        raise DamagedError(f"{STATE} cannot be read ({error.strerror})") from None
    except UserError as error:
        raise DamagedError(f"{STATE} is cut or altered ({error.found or error.what})") from None
    if not isinstance(content, dict):
        raise DamagedError(f"{STATE} is cut or altered")
    if content.pop("sha256", None) != _state_hash(content):
        raise DamagedError(f"{STATE} does not match its own hash")
    try:
        about = fitted(content, _State)
    except DocumentError as error:
        raise DamagedError(f"{STATE} says what cannot be: {error}") from None
    if about.schema_number > SCHEMA:
        raise UserError(
            f"{path} was written by a newer version",
            f"schema {about.schema_number}, known: {SCHEMA}",
            "update",
        )
    return content


def _check(file: Path, stated: Json | None) -> None:
    if stated is None or not file.is_file():
        raise DamagedError(f"{file.name} is missing")
    size = file.stat().st_size
    if size != stated["bytes"]:
        raise DamagedError(f"{file.name} has {size} of {stated['bytes']} bytes")
    if sha256(file) != stated["sha256"]:
        raise DamagedError(f"{file.name} does not match its hash, some bits have changed")


def _state_hash(content: Json) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
