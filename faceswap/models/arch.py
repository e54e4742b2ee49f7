"""Which network: the architecture's name, its sizes, and which fit together (dfl-facts §7.2, §7.5)."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from faceswap.errors import UserError
from faceswap.types import Json

Family = Literal["DF", "LIAE"]
FAMILIES: dict[Family, str] = {
    "DF": "keeps the identity more",
    "LIAE": "adapts more to another face shape",
}
LETTERS = {
    "U": "normalises the code for more likeness",
    "D": "doubles the resolution at the same cost",
    "T": "deeper encoder and decoder for more likeness",
}
RESOLUTIONS = (64, 640)
AE_DIMS = (32, 1024)
CHANNEL_DIMS = (16, 256)


@dataclass(frozen=True)
class Arch:
    """A family of networks and its variants; `str()` gives the canonical name, `LIAE-UDT`."""

    family: Family
    u: bool = False
    d: bool = False
    t: bool = False

    @classmethod
    def parse(cls, name: str) -> Self:
        """Reads `DF` or `LIAE` with any of the letters U, D, T in any order and case, `liae-ud`.

        Raises UserError listing the families and letters that exist.
        """
        found = re.fullmatch(r"([A-Z]+)(?:-([A-Z]+))?", name.strip().upper())
        family = next((known for known in FAMILIES if found and found[1] == known), None)
        letters = (found[2] or "") if found else ""
        if family is None or set(letters) - set(LETTERS):
            raise _unknown(name, "" if family is None else "".join(sorted(set(letters) - set(LETTERS))))
        return cls(family, u="U" in letters, d="D" in letters, t="T" in letters)

    def __str__(self) -> str:
        letters = "".join(letter for letter in LETTERS if getattr(self, letter.lower()))
        return f"{self.family}-{letters}" if letters else self.family

    @property
    def resolution_step(self) -> int:
        """The resolution is a multiple of this: the encoder of T and the code of D are halved once more."""
        return 32 if self.d or self.t else 16


def _unknown(name: str, letters: str) -> UserError:
    exist = "; ".join(f"{letter} {meaning}" for letter, meaning in LETTERS.items())
    families = "; ".join(f"{family} {meaning}" for family, meaning in FAMILIES.items())
    problem = f"no letter {', '.join(letters)} exists" if letters else "that is not FAMILY or FAMILY-LETTERS"
    return UserError(
        f"unknown architecture {name!r}: {problem}",
        f"families: {families}. Letters: {exist}",
        "type for example --arch DF-UD or --arch LIAE-UDT",
    )


def default_mask_dims(decoder_dims: int) -> int:
    """A third of the decoder's dims, even and within the range (dfl-facts §7.5): 22 for 64."""
    third = decoder_dims // 3
    return max(CHANNEL_DIMS[0], third + third % 2)


@dataclass(frozen=True)
class ModelSpec:
    """Everything that decides the shapes of a model's weights.

    resolution: side of the square face in pixels, 64–640.
    ae_dims: width of the bottleneck, 32–1024.
    encoder_dims, decoder_dims, mask_dims: base channels, 16–256, even.
    """

    arch: Arch
    resolution: int = 128
    ae_dims: int = 256
    encoder_dims: int = 64
    decoder_dims: int = 64
    mask_dims: int = 22

    def validate(self) -> None:
        """Raises UserError naming the nearest values that are possible."""
        _check_multiple("resolution", self.resolution, RESOLUTIONS, self.arch.resolution_step, str(self.arch))
        _check_multiple("ae-dims", self.ae_dims, AE_DIMS, 1)
        _check_multiple("encoder-dims", self.encoder_dims, CHANNEL_DIMS, 2)
        _check_multiple("decoder-dims", self.decoder_dims, CHANNEL_DIMS, 2)
        _check_multiple("mask-dims", self.mask_dims, CHANNEL_DIMS, 2)

    def to_json(self) -> Json:
        """Plain JSON; `arch` as its name."""
        return asdict(self) | {"arch": str(self.arch)}

    @classmethod
    def from_json(cls, json: Json) -> Self:
        """The inverse of `to_json`. Raises UserError where a field is missing, mistyped or impossible."""
        fields: dict[str, Any] = {name: json.get(name) for name in cls.__dataclass_fields__}
        kinds = {name: str if name == "arch" else int for name in fields}
        wrong = ", ".join(name for name in fields if type(fields[name]) is not kinds[name])
        if wrong:
            raise UserError(f"the model description is damaged: {wrong} missing or unreadable", str(json))
        spec = cls(**(fields | {"arch": Arch.parse(fields["arch"])}))
        spec.validate()
        return spec


def _check_multiple(name: str, value: int, bounds: tuple[int, int], step: int, arch: str = "") -> None:
    low, high = bounds
    if low <= value <= high and value % step == 0:
        return
    below, above = value // step * step, -(-value // step) * step
    nearest = sorted({min(max(candidate, low), high) for candidate in (below, above)})
    multiple = f", a multiple of {step}" if step > 1 else ""
    where = f" with {arch}" if arch else ""
    raise UserError(
        f"--{name} {value} is not possible{where}: it must be {low} to {high}{multiple}",
        hint=f"nearest that work: --{name} " + f" or --{name} ".join(map(str, nearest)),
    )
