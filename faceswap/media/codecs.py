"""What a film can be encoded as: codecs, the files they live in, and ffmpeg's encoders for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

CodecName = Literal[
    "h264", "hevc", "av1", "prores422", "prores4444", "ffv1", "h264-rgb", "png", "tiff", "exr"
]
Options = Mapping[str, object]

# (bits a channel, with alpha) -> ffmpeg's name of the pixel layout.
Layouts = Mapping[tuple[int, bool], str]
_420: Layouts = {(8, False): "yuv420p", (10, False): "yuv420p10le"}
_420_8: Layouts = {(8, False): "yuv420p"}
_NV12: Layouts = {(8, False): "nv12", (10, False): "p010le"}
_NV12_8: Layouts = {(8, False): "nv12"}
_422: Layouts = {(10, False): "yuv422p10le"}
_444: Layouts = {(10, False): "yuv444p10le", (10, True): "yuva444p10le"}
_RGB: Layouts = {
    (8, False): "bgr0", (8, True): "bgra", (10, False): "gbrp10le", (10, True): "gbrap10le",
    (16, False): "gbrp16le", (16, True): "gbrap16le",
}  # fmt: skip
_PICTURES: Layouts = {(8, False): "rgb24", (8, True): "rgba", (16, False): "rgb48le", (16, True): "rgba64le"}
_HALF_FLOATS: Layouts = {(16, False): "gbrpf32le", (16, True): "gbrapf32le"}


@dataclass(frozen=True)
class Coder:
    """One of ffmpeg's encoders: the layouts it takes and its options for a quality on x264's scale.

    device: ffmpeg's options before the inputs, for encoders that frames must be uploaded to.
    """

    name: str
    layouts: Layouts
    options: Callable[[int], Options] = field(default=lambda quality: {})
    device: Options | None = None


@dataclass(frozen=True)
class Codec:
    """A codec in its file: `suffix` of the file, "" for a folder of pictures.

    coders: software, best first; hardware: tried before them.  rgb: no YUV, so nothing is lost to it.
    limited: its YUV is of limited range whatever the source's is.
    """

    suffix: str
    coders: tuple[Coder, ...]
    hardware: tuple[Coder, ...] = ()
    rgb: bool = False
    limited: bool = False

    @property
    def depths(self) -> tuple[int, ...]:
        return tuple(sorted({bits for coder in self.coders for bits, _ in coder.layouts}))

    @property
    def has_alpha(self) -> bool:
        return any(alpha for coder in self.coders for _, alpha in coder.layouts)


def _crf(quality: int) -> Options:
    return {"crf": quality}


def _av1(quality: int) -> int:
    """AV1 counts quality from 1 to 63 where H.264 counts from 0 to 51."""
    return max(1, round(quality * 63 / 51))


def _prores(profile: str) -> Callable[[int], Options]:
    # Editors of other makers than Apple look for Apple's mark.
    return lambda quality: {"profile:v": profile, "vendor": "apl0"}


def _hardware(name: str, deep: bool) -> tuple[Coder, ...]:
    """The hardware encoders of h264, hevc or av1, each at constant quality."""
    layouts = _NV12 if deep else _NV12_8
    scaled = _av1 if name == "av1" else (lambda quality: max(1, quality))
    return (
        Coder(f"{name}_nvenc", layouts, lambda q: {"preset": "p6", "rc": "vbr", "cq": scaled(q), "b:v": 0}),
        Coder(f"{name}_qsv", layouts, lambda q: {"global_quality": scaled(q)}),
        Coder(f"{name}_videotoolbox", layouts, lambda q: {"q:v": max(1, 100 - 2 * q)}),
        Coder(
            f"{name}_vaapi",
            layouts,
            lambda q: {"rc_mode": "CQP", "global_quality": scaled(q)},
            {"vaapi_device": "/dev/dri/renderD128"},
        ),
    )


CODECS: Mapping[str, Codec] = {
    "h264": Codec(".mp4", (Coder("libx264", _420, _crf),), _hardware("h264", deep=False)),
    "hevc": Codec(
        ".mp4",
        # Without hvc1 Apple's players show nothing.
        (Coder("libx265", _420, lambda q: {"crf": q, "tag:v": "hvc1", "x265-params": "log-level=error"}),),
        tuple(
            Coder(c.name, c.layouts, lambda q, c=c: {**c.options(q), "tag:v": "hvc1"}, c.device)  # type: ignore[misc]
            for c in _hardware("hevc", deep=True)
        ),
    ),
    "av1": Codec(
        ".mp4",
        (
            Coder("libsvtav1", _420, lambda q: {"crf": _av1(q), "preset": 6}),
            Coder("libaom-av1", _420, lambda q: {"crf": _av1(q), "cpu-used": 6, "row-mt": 1}),
            Coder("librav1e", _420, lambda q: {"qp": 4 * _av1(q), "speed": 6}),
        ),
        _hardware("av1", deep=True),
    ),
    "prores422": Codec(".mov", (Coder("prores_ks", _422, _prores("hq")),), limited=True),
    "prores4444": Codec(".mov", (Coder("prores_ks", _444, _prores("4444")),), limited=True),
    "ffv1": Codec(".mkv", (Coder("ffv1", _RGB, lambda q: {"level": 3, "slicecrc": 1}),), rgb=True),
    "h264-rgb": Codec(".mkv", (Coder("libx264rgb", {(8, False): "rgb24"}, lambda q: {"qp": 0}),), rgb=True),
    "png": Codec("", (Coder("png", _PICTURES),), rgb=True),
    "tiff": Codec("", (Coder("tiff", _PICTURES),), rgb=True),
    "exr": Codec("", (Coder("exr", _HALF_FLOATS),), rgb=True),
}


@dataclass(frozen=True)
class Film:
    """A codec made by one encoder with so many bits a channel, with or without alpha; see `choose_film`.

    quality: on x264's scale of constant rate factors, 0 to 51; formats that lose nothing pass it over.
    """

    name: str
    coder: Coder
    bits: int
    alpha: bool
    quality: int

    @property
    def codec(self) -> Codec:
        return CODECS[self.name]

    @property
    def layout(self) -> str:
        return self.coder.layouts[self.bits, self.alpha]

    @property
    def options(self) -> Options:
        return self.coder.options(self.quality)

    @property
    def even(self) -> tuple[bool, bool]:
        """Whether height and width must be even, because colour is kept for every second line or column."""
        halved = self.layout in ("nv12", "p010le") or "420" in self.layout
        return halved, halved or "422" in self.layout
