"""Words in pictures that are written to disk, tall enough to be read when those are scaled to a screen."""

import cv2

from faceswap.types import Frame

INK = (225, 225, 225)
# A line of text with room around it, and the size of OpenCV's font for it.
LINE_PX, SCALE = 26, 0.45
# A sheet is scaled with its cells: a line keeps its share of them.
_LINES_A_CELL = 5


def line_px(cell_px: int) -> int:
    """The height of a line of captions in a sheet of cells of this side."""
    return max(LINE_PX, cell_px // _LINES_A_CELL)


def write(
    picture: Frame,
    text: str,
    at: tuple[int, int],
    colour: tuple[int, int, int] = INK,
    height_px: int = LINE_PX,
) -> None:
    """Text from `at`, the left end of its base line, smaller where the picture is too narrow for it.

    height_px: of the line it stands in, see `line_px`.
    """
    scale = SCALE * height_px / LINE_PX
    width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
    scale *= min(1.0, (picture.shape[1] - at[0]) / max(1, width))
    thickness = 2 if scale >= 0.7 else 1
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)


def base_px(height_px: int) -> int:
    """How far down a line of text its base line is."""
    return height_px - height_px * 8 // LINE_PX
