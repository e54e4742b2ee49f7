"""Which network: the architecture's name, its sizes, what fits together (deepfacelab.md §7.2, §7.5, §10)."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, TypeAlias

from faceswap.errors import UserError
from faceswap.types import Json

Family = Literal["DF", "LIAE", "AMP", "QUICK96"]
FAMILIES: dict[Family, str] = {
    "DF": "keeps the identity more",
    "LIAE": "adapts more to another face shape",
    "AMP": "morphs from one face to the other by degrees",
    "QUICK96": "is a small DF-UD that shows soon what to expect",
}
# The networks of masks, and the encoder of the U-Net as segmentation-models-pytorch calls it.
SegmenterArch: TypeAlias = Literal["unet", "xseg"]
ENCODER = "timm-regnety_002"
LETTERS = {
    "U": "normalises the code for more likeness",
    "D": "doubles the resolution at the same cost",
    "T": "deeper encoder and decoder for more likeness",
    "C": "activates by x·cos x instead of leaky ReLU",
}
# Families that come in one variant, whose letters go without saying (deepfacelab.md §10.2, §10.4).
INHERENT: dict[Family, str] = {"AMP": "UDT", "QUICK96": "UD"}
RESOLUTIONS = (64, 640)
AE_DIMS = (32, 1024)
INTER_DIMS = (32, 2048)
CHANNEL_DIMS = (16, 256)
MORPH_FACTORS = (0.1, 0.5)
AMP_ONLY = ("inter_dims", "morph_factor")


@dataclass(frozen=True)
class Arch:
    """A family of networks and its variants; `str()` gives the canonical name, `LIAE-UDT`."""

    family: Family
    u: bool = False
    d: bool = False
    t: bool = False
    c: bool = False

    @classmethod
    def parse(cls, name: str) -> Self:
        """Reads `DF` or `LIAE` with any of the letters U, D, T, C in any order and case, `liae-ud`; `AMP`,
        `QUICK96`.

        Raises UserError listing the families and letters that exist.
        """
        found = re.fullmatch(r"([A-Z0-9]+)(?:-([A-Z]+))?", name.strip().upper())
        family = next((known for known in FAMILIES if found and found[1] == known), None)
        letters = (found[2] or "") if found else ""
        if family is None or set(letters) - set(LETTERS):
            raise _unknown(name, "" if family is None else "".join(sorted(set(letters) - set(LETTERS))))
        if letters and family in INHERENT:
            raise UserError(f"{family} comes in one variant, without letters", "", f"type --arch {family}")
        letters += INHERENT.get(family, "")
        return cls(family, **{letter.lower(): letter in letters for letter in LETTERS})

    def __str__(self) -> str:
        letters = "".join(letter for letter in LETTERS if getattr(self, letter.lower()))
        return f"{self.family}-{letters}" if letters and self.family not in INHERENT else self.family

    @property
    def resolution_step(self) -> int:
        """The resolution is a multiple of this: the encoder of T and the code of D are halved once more."""
        return 32 if self.d or self.t else 16


def _unknown(name: str, letters: str) -> UserError:
    exist = "; ".join(f"{letter} {meaning}" for letter, meaning in LETTERS.items())
    families = "; ".join(f"{family} {meaning}" for family, meaning in FAMILIES.items())
    problem = f"no letter {', '.join(letters)} exists" if letters else "that is not FAMILY or FAMILY-LETTERS"
    return UserError(
        f"unknown architecture {name!r:.60}: {problem}",
        f"families: {families}. Letters: {exist}",
        "type for example --arch DF-UD, --arch LIAE-UDT or --arch AMP",
    )


def default_mask_dims(decoder_dims: int) -> int:
    """A third of the decoder's dims, even and within the range (deepfacelab.md §7.5): 22 for 64."""
    third = decoder_dims // 3
    return max(CHANNEL_DIMS[0], third + third % 2)


@dataclass(frozen=True)
class ModelSpec:
    """Everything that decides the shapes of a model's weights and how they are wired.

    resolution: side of the square face in pixels, 64–640.
    ae_dims: width of the bottleneck, 32–1024.
    encoder_dims, decoder_dims, mask_dims: base channels, 16–256, even.
    inter_dims: channels of AMP's codes, 32–2048; None for the other families.
    morph_factor: share of them that src takes from its own inter in training, 0.1–0.5; None likewise.
    """

    arch: Arch
    resolution: int = 128
    ae_dims: int = 256
    encoder_dims: int = 64
    decoder_dims: int = 64
    mask_dims: int = 22
    inter_dims: int | None = None
    morph_factor: float | None = None

    @classmethod
    def default(cls, arch: Arch) -> Self:
        """What a new model of `arch` is where nothing else is asked for (deepfacelab.md §7.5, §10)."""
        if arch.family == "QUICK96":
            return cls(arch, 96, 128, 64, 64, 16)
        if arch.family == "AMP":
            return cls(arch, 224, inter_dims=1024, morph_factor=0.5)
        return cls(arch)

    def validate(self) -> None:
        """Raises UserError naming the nearest values that are possible."""
        _check_multiple("resolution", self.resolution, RESOLUTIONS, self.arch.resolution_step, str(self.arch))
        _check_multiple("ae-dims", self.ae_dims, AE_DIMS, 1)
        _check_multiple("encoder-dims", self.encoder_dims, CHANNEL_DIMS, 2)
        _check_multiple("decoder-dims", self.decoder_dims, CHANNEL_DIMS, 2)
        _check_multiple("mask-dims", self.mask_dims, CHANNEL_DIMS, 2)
        refuse_foreign(self.arch, [name for name in AMP_ONLY if getattr(self, name) is not None])
        if self.arch.family == "AMP":
            _check_multiple("inter-dims", self.inter_dims or 0, INTER_DIMS, 1)
            low, high = MORPH_FACTORS
            if not low <= (self.morph_factor or 0) <= high:
                raise UserError(
                    f"--morph-factor {self.morph_factor} is not possible: it must be {low} to {high}"
                )

    def to_json(self) -> Json:
        """Plain JSON; `arch` as its name, without what its family does not have."""
        values = asdict(self) | {"arch": str(self.arch)}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_json(cls, json: Json) -> Self:
        """The inverse of `to_json`. Raises UserError where a field is missing, mistyped or impossible."""
        needed = [name for name in cls.__dataclass_fields__ if name not in AMP_ONLY or name in json]
        fields: dict[str, Any] = {name: json.get(name) for name in needed}
        kinds = {"arch": str, "morph_factor": float}
        wrong = ", ".join(name for name in fields if type(fields[name]) is not kinds.get(name, int))
        if wrong:
            raise UserError(
                f"the model description is damaged: {wrong} missing or unreadable", f"{json!s:.300}"
            )
        spec = cls(**(fields | {"arch": Arch.parse(fields["arch"])}))
        spec.validate()
        return spec


def refuse_foreign(arch: Arch, names: Iterable[str]) -> None:
    """Raise UserError where any of `names` belongs to AMP and `arch` does not."""
    foreign = [f"--{name.replace('_', '-')}" for name in names if name in AMP_ONLY and arch.family != "AMP"]
    if foreign:
        flags = ", ".join(foreign)
        raise UserError(
            f"{flags} is for AMP models", f"this one is {arch}", f"leave {flags} out, or type --arch AMP"
        )


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
