"""Damaged and hostile forms of a valid document, drawn by hypothesis: what a reader must name and pass over.

Everything here is harmless to anything but a reader that believes what it reads.
"""

import copy
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

# In place of a value: lists so deep that a parser which calls itself runs out of stack.
_DEEP = {f"@deep{depth}@": "[" * depth + "]" * depth for depth in (33, 500, 20_000)}
_RAW = _DEEP | {"@huge@": "9" * 5000, "@infinite@": "1e999", "@half@": '"\\ud800"'}
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 3, 0.5, -0.0, 1e-320, 1e38, 1e300, -1e308, float("nan"), float("inf"),
    float("-inf"), 10**9, -(10**9), 2**31, 2**63, 2**64 - 1, 2**64, -(2**63), 10**30,
    "", "0", "-1", "nan", "x", "x" * 5000, "\0", "a\0b", "../../x", "/", ".", "\ud800",
    [], {}, [[]], [None], [0, 0], [[0, 0]], {"a": 1}, {"": ""}, [1e300] * 136, [[0.0, 0.0]] * 68,
    [[5, 5]] * 68, [[0, 0, 0], [0, 0, 0]], [["1", "2"]], {"points": [[1, 2]]}, *_RAW,
]  # fmt: skip
_Place = tuple[str | int, ...]


def _places(value: Any, here: _Place = ()) -> Iterator[_Place]:
    yield here
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _places(child, (*here, key))
    elif isinstance(value, list):
        # Of a long list the ends stand for all.
        for index in sorted({*range(min(3, len(value))), len(value) - 1} & {*range(len(value))}):
            yield from _places(value[index], (*here, index))


def _changed(document: Any, place: _Place, way: str, value: Any) -> Any:
    if not place:
        return {"replace": value, "wrap": [document]}.get(way, document)
    parent, last = document, place[-1]
    try:
        for step in place[:-1]:
            parent = parent[step]
        _ = parent[last]
    except (KeyError, IndexError, TypeError):
        return document  # an earlier change has taken the way away
    if not isinstance(parent, dict | list):
        return document
    if way == "replace":
        parent[last] = copy.deepcopy(value)
    elif way == "delete":
        del parent[last]
    elif way == "wrap":
        parent[last] = [parent[last]]
    elif isinstance(parent, list):
        parent.insert(last, copy.deepcopy(parent[last]))
    else:
        parent[f"{last}2"] = parent[last]
    return document


def _encoded(document: Any) -> bytes:
    text = json.dumps(document)
    for mark, raw in _RAW.items():
        text = text.replace(f'"{mark}"', raw)
    return text.encode()


def _spoilt(data: bytes, way: str, at: int, byte: int) -> bytes:
    at %= len(data) + 1
    return {
        "cut": data[:at],
        "flip": data[:at] + bytes([byte]) + data[at + 1 :],
        "insert": data[:at] + bytes([byte]) * 3 + data[at:],
        "twice": data + data[at:],
        "utf-16": data.decode(errors="replace").encode("utf-16"),
        "bom": b"\xef\xbb\xbf" + data,
    }[way]


_WAYS = ("replace", "replace", "replace", "delete", "twice", "wrap")
_SPOILS = ("cut", "flip", "flip", "insert", "twice", "utf-16", "bom")
# One draw an example: hypothesis takes ten times as long to draw each change by itself.
_SEEDS = st.integers(0, 2**62)


def _spoil(data: bytes, random: Random) -> bytes:
    return _spoilt(data, random.choice(_SPOILS), random.randrange(1 << 20), random.randrange(256))


def documents(valid: Any) -> st.SearchStrategy[bytes]:
    """JSON of `valid` with one to three places replaced, lost, doubled or nested, or its bytes spoilt."""
    text, places = json.dumps(valid), list(_places(valid))

    def drawn(seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.2:
            return _spoil(text.encode(), random)
        document = json.loads(text)
        for _ in range(random.randint(1, 3)):
            document = _changed(document, random.choice(places), random.choice(_WAYS), random.choice(VALUES))
        return _encoded(document)

    return _SEEDS.map(drawn)


def texts(valid: str) -> st.SearchStrategy[bytes]:
    """A text with its bytes spoilt, or with a word replaced by a hostile one."""
    words = valid.replace(",", " ").split()
    hostile = [str(value) for value in VALUES if isinstance(value, str | int | float)]

    def drawn(seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.5:
            return valid.replace(random.choice(words), random.choice(hostile)).encode(errors="surrogatepass")
        data = valid.encode()
        for _ in range(random.randint(1, 3)):
            data = _spoil(data, random)
        return data

    return _SEEDS.map(drawn)


def attacked(strategy: st.SearchStrategy[Any], examples: int = 2000) -> Callable[..., Any]:
    """Runs a test with `examples` values of its argument `hostile`, always the same ones."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        how = settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        return how(given(hostile=strategy)(test))

    return decorate
