"""What a person can do in a window, and by which key: keys, buttons and help are made of such a table.

A key is the character that is typed, so that a capital is the same key with Shift on every keyboard, or a
name as Qt gives it.
"""

from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

Action = TypeVar("Action")


class Command(NamedTuple, Generic[Action]):
    """keys: any of them; help: what happens, as a sentence without a full stop."""

    group: str
    keys: tuple[str, ...]
    help: str
    action: Action


def by_key(commands: Iterable[Command[Action]]) -> Mapping[str, Command[Action]]:
    """The command of every key."""
    return {key: command for command in commands for key in command.keys}
