"""ffmpeg's filters between a clip's colours and RGB."""

from collections.abc import Mapping
from typing import Any

from faceswap.io.color_tags import SDR, Color

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
