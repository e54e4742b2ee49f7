"""What is written down and read back: JSON within bounds, checked against a type before it is believed.

Any file may be damaged, cut, edited by hand or made to do harm. So numbers are finite, texts are whole
Unicode without a zero byte, nesting and size are bounded, and what a document must be is said by a type: a
pydantic model, a dataclass, or anything else pydantic knows. What does not fit becomes a UserError with the
place, or, in a file of lines, is passed over and named.
"""

import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from faceswap.console import warn
from faceswap.errors import UserError


class Record(BaseModel):
    """Base of frozen values that are stored as JSON; keys of later versions are kept out of the way."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


MOST_DEEP = 32
MOST_BYTES = 64 << 20
# Records that grow with a clip or a set: a line of 100 bytes for each of ten million frames.
MOST_BYTES_OF_A_SET = 1 << 30
_BOM = b"\xef\xbb\xbf"
_RESTORE = "restore it from a backup or delete it"

Count = Annotated[int, Field(ge=0, le=10**12)]
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e12, le=1e12)]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^/\x00]+$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

T = TypeVar("T")


class DocumentError(ValueError):
    """Bytes that are no document, or not the one that is wanted; the text says why, and where."""


def parse(data: bytes) -> Any:
    """The value of UTF-8 JSON, with or without a byte order mark; DocumentError where it breaks a bound."""
    if len(data) > MOST_BYTES_OF_A_SET:
        raise DocumentError(f"it has {len(data)} bytes")
    try:
        # It refuses NaN, infinity, halves of surrogate pairs and nesting beyond its own stack.
        value = orjson.loads(data.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        raise DocumentError(str(error)) from None
    if b"\\u0000" in data:
        raise DocumentError("a text in it holds a zero byte")
    if is_too_deep(value):
        raise DocumentError(f"it is nested more than {MOST_DEEP} deep")
    return value


def is_too_deep(value: Any) -> bool:
    """Whether lists and objects lie in one another more than MOST_DEEP deep."""
    level = [value]
    for _ in range(MOST_DEEP):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def fitted(value: Any, kind: type[T]) -> T:
    """A parsed value as `kind`; DocumentError naming the first place that does not fit."""
    try:
        return cast(T, _adapter(cast(Any, kind)).validate_python(value))
    except ValidationError as error:
        raise DocumentError(first_fault(error)) from None


def first_fault(error: ValidationError) -> str:
    """The first place that does not fit, what is there, and why it cannot be."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:120]
    found = "" if isinstance(first["input"], dict | list) else f" is {str(first['input'])[:60]!r}"
    return f"{where}{found}: {first['msg']}" if where else str(first["msg"])


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """All of a regular file; UserError where it is missing, something else, or larger than `most` bytes."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            kind = "a folder" if stat.S_ISDIR(facts.st_mode) else "no regular file"
            raise UserError(f"{path} is {kind}", "a file is expected there", "move it away")
        if facts.st_size > most:
            raise UserError(f"{path} is too large", f"{facts.st_size} bytes; at most {most}", _RESTORE)
        with path.open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError:
        raise UserError(f"no file {path}") from None


def read_json(path: Path, most: int = MOST_BYTES, hint: str = _RESTORE) -> Any:
    """Read JSON; a missing or damaged file is a UserError."""
    data = read_bytes(path, most)
    try:
        return parse(data)
    except DocumentError as error:
        raise UserError(f"{path} is not valid JSON", str(error), hint) from None


def read_settings(path: Path, hint: str = _RESTORE) -> dict[str, Any]:
    """The values of a saved settings file, or of a plain object of them; UserError for anything else."""
    content = read_json(path, hint=hint)
    values = content.get("settings", content) if isinstance(content, dict) else None
    if not isinstance(values, dict):
        raise UserError(f"{path} is no settings file", "", 'it should hold {"settings": {"name": value, …}}')
    return values


def read_as(path: Path, kind: type[T], hint: str = _RESTORE, most: int = MOST_BYTES) -> T:
    """Read JSON as `kind`; a missing or damaged file, or one that holds something else, is a UserError."""
    value = read_json(path, most, hint)
    try:
        return fitted(value, kind)
    except DocumentError as error:
        raise UserError(f"{path} is damaged", str(error), hint) from None


def read_text(path: Path, hint: str) -> str:
    """A text of UTF-8, with or without a byte order mark; UserError for anything else."""
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8", str(error), hint) from None
    if "\0" in text:
        raise UserError(f"{path} is no text", "it holds a zero byte", hint)
    return text


def read_lines(path: Path, kind: type[T]) -> Iterator[T]:
    """The lines of a JSONL file as `kind`, none without a file; those that do not fit are counted and told.

    A last line without its end is what a killed process leaves, and is passed over in silence.
    """
    if not path.is_file():
        return
    damaged: list[str] = []
    for number, line in enumerate(read_bytes(path, MOST_BYTES_OF_A_SET).splitlines(keepends=True), 1):
        if not line.strip():
            continue
        try:
            yield fitted(parse(line), kind)
        except DocumentError as error:
            if line.endswith(b"\n"):
                damaged.append(f"line {number}: {error}")
    if damaged:
        warn(f"{path}: {len(damaged)} damaged lines are passed over, the first is {damaged[0]}")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
