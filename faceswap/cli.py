"""What people type: flags as they are written, negative numbers, and the nearest word to a mistyped one."""

import difflib
import re
from argparse import ArgumentParser
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import CliPositionalArg

from faceswap.errors import UserError

# argparse of Python 3.11 takes -1e-3 and -inf for flags; the settings decide whether they are in range.
_NEGATIVE = re.compile(r"-((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?|nan)", re.IGNORECASE)
# What marks a setting that is typed without a flag.
_POSITIONAL: Any = get_args(CliPositionalArg)[1]
# These every stage has, though no settings class does: whether they take a value.
_COMMON = {"--config": True, "--preset": True, "--help": False}


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean …?` with the word of `known` that is most like `word`, "" where none is."""
    by_letters = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(word.casefold(), by_letters, n=1)
    return f"did you mean {by_letters[close[0]]}?" if close else ""


def told_apart(word: str, known: Collection[str], introduction: str = "there are") -> str:
    """What to say was found where `word` is none of `known`: the nearest one first, then all."""
    everything = f"{introduction} {', '.join(known) or 'none'}"
    return "\n  ".join(filter(None, (nearest(word, known), everything)))


def flags_of(fields: Mapping[str, FieldInfo]) -> dict[str, bool]:
    """Every flag of a stage, and whether a value follows it."""
    flags = dict(_COMMON)
    for name, field in fields.items():
        if _POSITIONAL in field.metadata:
            continue
        flag = "--" + (field.alias or name).replace("_", "-")
        is_switch = bool in _types(field.annotation)
        flags[flag] = not is_switch
        if is_switch:
            flags[f"--no-{flag[2:]}"] = False
    return flags


def _types(annotation: Any) -> Sequence[Any]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)


def tidy(words: Iterable[str], flags: Mapping[str, bool]) -> Iterator[str]:
    """`words` as argparse understands them; UserError naming a flag that there is not, and the nearest."""
    wanting, rest = "", iter(words)
    for word in rest:
        if word == "--":
            yield from (word, *rest)
            return
        if _NEGATIVE.fullmatch(word):
            yield f"{wanting}={word}" if wanting else word
            wanting = ""
            continue
        if wanting:
            yield wanting
            wanting = ""
        if not re.match(r"--?[^\W\d]", word) or word == "-h":
            yield word
            continue
        flag, equals, value = word.partition("=")
        typed, flag = flag, flag.replace("_", "-")
        if flag not in flags:
            lengthened = f"-{flag}" if not flag.startswith("--") else flag
            found = f"did you mean {lengthened}?" if lengthened in flags else nearest(lengthened, flags)
            raise UserError(f"unknown flag {typed}", found, "type --help for all flags")
        if flags[flag] and not equals:
            wanting = flag
        else:
            yield f"{flag}{equals}{value}"
    if wanting:
        yield wanting


def group_help(parser: ArgumentParser, groups: Mapping[str, Collection[str]]) -> str:
    """The help of `parser` with its flags under headings: title -> names of the settings below it."""
    options = parser._optionals._group_actions
    for title, names in groups.items():
        group = parser.add_argument_group(title)
        wanted = {"--" + name.replace("_", "-") for name in names}
        # Already arguments of the parser, they only move from one heading to another.
        group._group_actions += [action for action in options if wanted & set(action.option_strings)]
        options[:] = [action for action in options if action not in group._group_actions]
    return parser.format_help()
