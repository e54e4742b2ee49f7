"""What a clip says about its colours (ITU-T H.273), and ffmpeg's filters between them and RGB."""

from collections.abc import Mapping
from typing import Any

from av.video.frame import VideoFrame
from pydantic import field_validator

from faceswap.errors import UserError
from faceswap.io.documents import Record

_MATRIX = {
    1: "bt709", 4: "fcc", 5: "smpte170m", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc",
    10: "bt2020c", 12: "chroma-derived-nc", 13: "chroma-derived-c", 14: "ictcp",
}  # fmt: skip
_PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020",
    10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
_TRANSFER = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100",
    10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12",
    16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
# Matrices that neither swscale nor zimg can undo.
_UNREADABLE = {11: "Y'D'zD'x (SMPTE ST 2085)", 15: "IPT-C2", 16: "YCgCo-Re", 17: "YCgCo-Ro"}
# The curves that constant luminance is defined with.
_CAMERAS = ("bt709", "smpte170m", "bt2020-10", "bt2020-12")
# Names that earlier versions stored.
_EARLIER = {"gamma22": "bt470m", "gamma28": "bt470bg"}
# What swscale converts; zimg does the others, and a result is written in one that all players know.
_SCALED = {"bt709", "fcc", "smpte170m", "smpte240m", "bt2020nc"}
_FULL_RANGE = 2
# Untagged pictures taller and wider than standard definition are taken as bt709, as players do.
_HD_PX = 577


class Color(Record):
    """How a clip's YUV becomes RGB, by ffmpeg's names; `matrix` is "" where the clip holds RGB itself."""

    matrix: str = "bt709"
    primaries: str = "bt709"
    transfer: str = "bt709"
    full_range: bool = False

    @field_validator("transfer", mode="before")
    @classmethod
    def _renamed(cls, name: Any) -> Any:
        return _EARLIER.get(name, name) if isinstance(name, str) else name

    @property
    def code_points(self) -> tuple[int, int]:
        """The numbers of primaries and transfer in ITU-T H.273."""
        tables = ((_PRIMARIES, self.primaries), (_TRANSFER, self.transfer))
        primaries, transfer = (next(code for code in names if names[code] == name) for names, name in tables)
        return primaries, transfer

    @property
    def is_scaled(self) -> bool:
        """Whether swscale knows the matrix."""
        return self.matrix in _SCALED

    @property
    def is_constant_luminance(self) -> bool:
        """Whether luma is the curve of light, not a sum of curves."""
        return self.matrix in ("bt2020c", "chroma-derived-c")

    @property
    def written_matrix(self) -> str:
        """The matrix of a result: the clip's own, or one that all players know."""
        if self.is_scaled:
            return self.matrix
        return "bt2020nc" if self.matrix and self.primaries == "bt2020" else "bt709"

    @property
    def dynamic_range(self) -> str:
        """ "PQ", "HLG" or "SDR"."""
        return {"smpte2084": "PQ", "arib-std-b67": "HLG"}.get(self.transfer, "SDR")


# What HDR becomes with --tone-map.
SDR = Color()


def read_color(frame: VideoFrame) -> Color:
    """The colours of a decoded frame; what it does not say, or says with reserved numbers, is the usual.

    Raises UserError, with its name, for a matrix that cannot be undone.
    """
    code = int(frame.colorspace)
    hd = min(frame.width, frame.height) >= _HD_PX
    matrix = _MATRIX.get(code, "bt709" if hd else "smpte170m")
    is_rgb = frame.format.is_rgb or frame.format.has_palette
    primaries = _PRIMARIES.get(int(frame.color_primaries), _usual(matrix, _PRIMARIES))
    color = Color(
        matrix="" if is_rgb else matrix,
        # H.273 defines ICtCp for these alone.
        primaries="bt2020" if matrix == "ictcp" else primaries,
        transfer=_transfer(int(frame.color_trc), matrix),
        full_range=int(frame.color_range) == _FULL_RANGE or frame.format.name.startswith("yuvj"),
    )
    unreadable = _UNREADABLE.get(code) or _without_curve(color)
    if unreadable and not is_rgb:
        raise UserError(
            f"the colours of this clip are {unreadable}, which cannot be read right",
            f"matrix coefficients {code} of ITU-T H.273, transfer {color.transfer}",
            "convert it to BT.709 or BT.2020 with the program it comes from",
        )
    return color


def _without_curve(color: Color) -> str:
    """The name of colours whose matrix could be undone with another transfer, else ""."""
    if color.is_constant_luminance and color.transfer not in _CAMERAS:
        return "of constant luminance in a curve that is no camera's"
    # zimg takes these apart otherwise than BT.2100 says.
    return "ICtCp in HLG" if color.matrix == "ictcp" and color.transfer != "smpte2084" else ""


def _usual(matrix: str, names: Mapping[int, str]) -> str:
    """What is meant where only the matrix is told."""
    usual = "bt2020" if matrix in ("bt2020nc", "bt2020c", "ictcp") else matrix
    return usual if usual in names.values() else "bt709"


def _transfer(code: int, matrix: str) -> str:
    # H.273 defines ICtCp for these two transfers alone.
    if matrix == "ictcp":
        return "arib-std-b67" if code == 18 else "smpte2084"
    return _TRANSFER.get(code, _usual(matrix, _TRANSFER))


# Unlike swscale's defaults, these do not lose half a step of brightness or colour at each conversion.
EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
# Diffuse white of HDR (BT.2408), and where its highlights end, in cd/m².
_WHITE, _PEAK = 203, 1000
# zimg takes constant luminance apart by the camera's curve (BT.2020, table 4), as it must, but writes the RGB
# by the display's, a power of 2.4: this is the way from there back to the camera's.
_CAMERA = "65535*if(lt(val,65535*0.18768),4.5*pow(val/65535,2.4),1.0993*pow(val/65535,1.08)-0.0993)"
# Tags of RGB that no filter minds; the real ones are kept in the record and written into the result.
_PLAIN = {"color_primaries": "bt709", "color_trc": "bt709"}


def to_rgb(pictures: Any, color: Color, deep: bool, tone_map: bool = False) -> Any:
    """Pictures of these colours as rgb24, or rgb48le where `deep`.

    tone_map: PQ and HLG become SDR of BT.709: light below 0.3 of diffuse white stays, what lies above, up to
    1000 cd/m², is bent into the rest (Moebius curve); SDR stays.
    """
    span = "pc" if color.full_range else "tv"
    if tone_map and color.dynamic_range != "SDR":
        pictures = _tone_mapped(_marked(pictures, color, span), deep)
    elif not color.matrix:
        pictures = pictures.filter("setparams", **_PLAIN)
    elif color.is_scaled:
        # Tags that swscale does not know would stop it, although it needs but the matrix.
        pictures = pictures.filter("setparams", range=span, colorspace=color.matrix, **_PLAIN)
        pictures = pictures.filter(
            "scale", in_color_matrix=scale_name(color.matrix), in_range=span, flags=EXACT
        )
    else:
        pictures = _undone(pictures, color, span, deep)
    return pictures.filter("format", "rgb48le" if deep else "rgb24")


def needs_zscale(color: Color, tone_map: bool) -> bool:
    """Whether `to_rgb` takes zimg for it, which not every ffmpeg has."""
    return bool(color.matrix and not color.is_scaled) or (tone_map and color.dynamic_range != "SDR")


def from_rgb(
    pictures: Any, layout: str, span: str, color: Color, size: Mapping[str, str] | None = None
) -> Any:
    """RGB as YUV by the very matrix and range that it is then tagged with.

    size: options of the scale filter for another size.
    """
    matrix = color.written_matrix
    pictures = pictures.filter(
        "scale", **(size or {}), out_color_matrix=scale_name(matrix), out_range=span, flags=EXACT
    )
    return tagged(pictures.filter("format", layout), span, matrix, color)


def tagged(pictures: Any, span: str, matrix: str, color: Color) -> Any:
    """Pictures that say they have this range, matrix, and the primaries and transfer of `color`."""
    tags = {"color_primaries": color.primaries, "color_trc": color.transfer}
    return pictures.filter("setparams", range=span, colorspace=matrix, **tags)


def scale_name(matrix: str) -> str:
    """The scale filter's name of a matrix; it calls the constant-luminance-free BT.2020 just bt2020."""
    return "bt2020" if matrix == "bt2020nc" else matrix


def _marked(pictures: Any, color: Color, span: str) -> Any:
    span, matrix = (span, color.matrix) if color.matrix else ("pc", "gbr")
    return tagged(pictures, span, matrix, color)


def _undone(pictures: Any, color: Color, span: str, deep: bool) -> Any:
    """A matrix that zimg undoes. Only constant luminance and ICtCp depend on the transfer."""
    if not (color.is_constant_luminance or color.matrix == "ictcp"):
        color = color.model_copy(update={"transfer": "bt709"})
    # At 16 bits what follows costs nothing.
    layout = "gbrp16le" if deep or color.is_constant_luminance else "gbrp"
    pictures = _marked(pictures, color, span).filter("zscale", matrix="gbr", range="pc", filter="bicubic")
    pictures = pictures.filter("format", layout)
    if color.is_constant_luminance:
        pictures = pictures.filter("lutrgb", r=_CAMERA, g=_CAMERA, b=_CAMERA)
    return pictures.filter("setparams", **_PLAIN)


def _tone_mapped(pictures: Any, deep: bool) -> Any:
    pictures = pictures.filter(
        "zscale", transfer="linear", primaries="bt709", matrix="gbr", range="pc", npl=_WHITE, filter="bicubic"
    ).filter("format", "gbrpf32le")
    pictures = pictures.filter("tonemap", tonemap="mobius", param=0.3, desat=0, peak=f"{_PEAK / _WHITE:.6g}")
    pictures = pictures.filter("zscale", transfer=SDR.transfer, range="pc")
    return pictures.filter("format", "gbrp16le" if deep else "gbrp").filter("setparams", **_PLAIN)
