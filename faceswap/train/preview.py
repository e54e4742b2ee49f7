"""What a person looks at while training runs: a contact sheet of faces and a plot of the losses."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.io.captions import LINE_PX, base_px, line_px, write
from faceswap.types import Frame, Image

COLUMNS = ("src", "src > src", "dst", "dst > dst", "swap", "swap in place")
# On the way to src, where a model morphs (deepfacelab.md §10.3); the swap is at 1.
MORPHS = (0.25, 0.5, 0.65, 0.75)
# A loss in a picture or the log is the mean of so many iterations: single ones jump.
MEAN_OF = 100
_SRC, _DST = (90, 170, 255), (255, 200, 70)
_PAPER, _LINES = 24, 70
_GAP_PX = 4


@dataclass(frozen=True)
class PreviewFaces:
    """Unwarped faces and what the model makes of them, one row a face; images and masks in [0, 1].

    Faces are (N, R, R, 3), masks (N, R, R, 1). swap_mask is the mask that both the swap and dst's own
    reconstruction agree on (deepfacelab.md §8.6); src_mask and dst_mask are those that are trained with,
    dst_dst_mask is what the model makes of the latter. morphs: the faces at each of MORPHS, or none.
    """

    src: Image
    src_src: Image
    dst: Image
    dst_dst: Image
    swap: Image
    swap_mask: Image
    src_mask: Image
    dst_mask: Image
    dst_dst_mask: Image
    morphs: tuple[Image, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called."""
        between = (f"morph {morph:g}" for morph in MORPHS[: len(self.morphs)])
        return (*COLUMNS[:4], *between, *COLUMNS[4:])

    def columns(self) -> tuple[Image, ...]:
        """The columns of the sheet in DFL's order, and the swap laid into dst by its mask."""
        in_place = self.swap * self.swap_mask + self.dst * (1 - self.swap_mask)
        return (self.src, self.src_src, self.dst, self.dst_dst, *self.morphs, self.swap, in_place)

    def masked_columns(self) -> tuple[Image, ...]:
        """The same inside their masks, as DFL shows them: src's reconstruction is whole."""
        src, src_src, dst, dst_dst, *swaps, in_place = self.columns()
        within = (swap * self.swap_mask for swap in swaps)
        return (
            src * self.src_mask,
            src_src,
            dst * self.dst_mask,
            dst_dst * self.dst_dst_mask,
            *within,
            in_place,
        )


def contact_sheet(faces: PreviewFaces, title: str, masked: bool = False) -> Frame:
    """(H, W, 3) uint8: `title`, the names of the columns, and a row a face, never below 160 px a cell.

    masked: the faces inside their masks.
    """
    resolution = faces.src.shape[1]
    cell = resolution * max(1, -(-160 // resolution))
    pitch = cell + _GAP_PX
    header = line_px(cell)
    base, top = base_px(header), 2 * header
    sheet = np.full((top + pitch * len(faces.src), pitch * len(faces.names) - _GAP_PX, 3), _PAPER, np.uint8)
    write(sheet, title, (_GAP_PX, base), height_px=header)
    columns = faces.masked_columns() if masked else faces.columns()
    for column, (name, pictures) in enumerate(zip(faces.names, columns, strict=True)):
        left = column * pitch
        write(sheet[:, : left + cell], name, (left + _GAP_PX, header + base), height_px=header)
        for row, picture in enumerate(pictures):
            y = top + row * pitch
            sheet[y : y + cell, left : left + cell] = _to_cell(picture, cell)
    return sheet


def loss_plot(
    src: Sequence[float], dst: Sequence[float], iteration: int, size: tuple[int, int] = (900, 320)
) -> Frame:
    """(H, W, 3) uint8 of both losses over the iterations: the band they move in and their mean.

    size: width and height in px. Full scale is twice the mean of the last 80 % (deepfacelab.md §8.6), so
    that the first, large losses do not flatten everything after.
    """
    width, height = size
    plot = np.full((height, width, 3), _PAPER, np.uint8)
    losses = np.stack([np.asarray(src, np.float32), np.asarray(dst, np.float32)])
    if losses.shape[1] == 0:
        write(plot, "no iteration yet", (60, height // 2))
        return plot
    top = float(2 * losses[:, losses.shape[1] // 5 :].mean()) or 1.0
    area = (slice(LINE_PX, height - LINE_PX), slice(56, width - 8))
    _draw_scale(plot, area, top)
    for values, colour in ((losses[1], _DST), (losses[0], _SRC)):
        _draw_band(plot[area], values, top, colour)
    src_loss, dst_loss = losses[:, -MEAN_OF:].mean(axis=1)
    write(plot, f"src {src_loss:.4f}", (56, LINE_PX - 8), _SRC)
    write(plot, f"dst {dst_loss:.4f}", (186, LINE_PX - 8), _DST)
    write(plot, f"mean of {min(MEAN_OF, losses.shape[1])}", (316, LINE_PX - 8))
    write(plot, f"iteration {iteration}", (width - 190, height - 8))
    write(plot, f"{iteration - losses.shape[1]}", (56, height - 8))
    return plot


def _draw_scale(plot: Frame, area: tuple[slice, slice], top: float) -> None:
    rows, columns = area
    for fraction in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = round(rows.stop - 1 - fraction * (rows.stop - rows.start - 1))
        plot[y, columns] = _LINES
        write(plot, f"{fraction * top:.3f}", (4, y + 4))


def _draw_band(area: Frame, values: NDArray[np.float32], top: float, colour: tuple[int, int, int]) -> None:
    """A column a pixel: the span of its losses dark, their mean bright."""
    height, width = area.shape[:2]
    edges = np.linspace(0, len(values), width + 1).astype(int)
    starts, ends = edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)
    spans = [values[start:end] for start, end in zip(starts, ends, strict=True)]
    low, mean, high = (
        np.clip(height - 1 - np.array([pick(span) for span in spans]) / top * (height - 1), 0, height - 1)
        for pick in (np.min, np.mean, np.max)
    )
    dim = tuple(int(_PAPER + 0.4 * (part - _PAPER)) for part in colour)
    for x in range(width):
        cv2.line(area, (x, round(float(high[x]))), (x, round(float(low[x]))), dim, 1)
    line = np.stack([np.arange(width), np.rint(mean)], axis=1).astype(np.int32)
    cv2.polylines(area, [line], False, colour, 1, cv2.LINE_AA)


def _to_cell(picture: Image, cell: int) -> Frame:
    bytes_ = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    if bytes_.shape[0] == cell:
        return bytes_
    return np.asarray(cv2.resize(bytes_, (cell, cell), interpolation=cv2.INTER_CUBIC), np.uint8)
