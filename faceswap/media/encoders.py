"""Which encoder makes a film: asked of the ffmpeg at hand, and tried where a device must be there for it."""

import subprocess
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from faceswap.errors import UserError
from faceswap.media.codecs import CODECS, Codec, Coder, Film
from faceswap.media.ffmpeg import probe_command

Bits = Literal["auto", "8", "10", "16"]
Hardware = Literal["auto", "off"]


def choose_film(
    name: str,
    binary: str,
    *,
    quality: int = 16,
    bits: Bits = "8",
    deep: bool = False,
    alpha: bool = False,
    hardware: Hardware = "off",
) -> Film:
    """The film of codec `name` that `binary` can make.

    bits: "auto" takes the codec's deepest where the pictures are `deep`, else its shallowest.
    Raises UserError when the codec has no such depth or no alpha, or ffmpeg no encoder for it; each names
    what would do.
    """
    codec = CODECS[name]
    if alpha and not codec.has_alpha:
        can = ", ".join(other for other, made in CODECS.items() if made.has_alpha)
        raise UserError(f"{name} cannot carry alpha", f"these can: {can}", "add --codec prores4444")
    count = (codec.depths[-1] if deep else codec.depths[0]) if bits == "auto" else int(bits)
    if count not in codec.depths:
        found = f"it has {' or '.join(map(str, codec.depths))}"
        raise UserError(f"{name} has no {count} bits a channel", found, f"type --bits {codec.depths[-1]}")
    for coder in _candidates(codec, binary, hardware):
        film = Film(name, coder, count, alpha, quality)
        if (count, alpha) in coder.layouts and (coder in codec.coders or works(film, binary)):
            return film
    wanted = " or ".join(coder.name for coder in codec.coders)
    has = ", ".join(other for other, made in CODECS.items() if any(_candidates(made, binary, "off")))
    raise UserError(
        f"this ffmpeg has no encoder for {name}",
        f"it lacks {wanted}; it has {has}",
        "choose one of those: --codec NAME",
    )


def _candidates(codec: Codec, binary: str, hardware: Hardware) -> Iterator[Coder]:
    listed = encoders(binary)
    pool = (*(codec.hardware if hardware == "auto" else ()), *codec.coders)
    return (coder for coder in pool if coder.name in listed)


@lru_cache(maxsize=4)
def encoders(binary: str) -> frozenset[str]:
    """The names of all encoders that an ffmpeg lists; a listed hardware encoder need not work."""
    done = subprocess.run(
        [binary, "-hide_banner", "-encoders"], capture_output=True, encoding="utf-8", errors="replace"
    )
    rows = (line.split() for line in done.stdout.partition("------")[2].splitlines())
    return frozenset(row[1] for row in rows if len(row) > 1)


def works(film: Film, binary: str) -> bool:
    """Whether an encoder can encode a few small frames here: being listed does not mean a device is there."""
    try:
        done = subprocess.run(probe_command(film, binary), capture_output=True, timeout=30)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
