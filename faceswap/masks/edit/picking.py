"""What lies under the cursor, and what is odd about a polygon. Points are (x, y) in crop pixel centres."""

from collections.abc import Sequence

import numpy as np

from faceswap.faceset.polygons import Polygon
from faceswap.masks.edit.document import Place
from faceswap.types import Points


def point_near(polygons: Sequence[Polygon], x: float, y: float, reach_px: float) -> Place | None:
    """The polygon point nearest to a place, of those within reach; of the polygon drawn last if equal."""
    found, best = None, reach_px
    for number, one in enumerate(polygons):
        if len(one.points):
            distances = np.hypot(*(one.points - (x, y)).T)
            if distances.min() <= best:
                found, best = Place(number, int(distances.argmin())), float(distances.min())
    return found


def edge_near(polygons: Sequence[Polygon], x: float, y: float, reach_px: float) -> Place | None:
    """The edge nearest to a place, named by the point it begins at, of those within reach."""
    found, best = None, reach_px
    for number, one in enumerate(polygons):
        if len(one.points) > 1:
            distances = _edge_distances(one.points, x, y)
            if distances.min() <= best:
                found, best = Place(number, int(distances.argmin())), float(distances.min())
    return found


def oddities(polygons: Sequence[Polygon], size_px: int) -> list[str]:
    """What a person should know of each polygon of a crop of side `size_px`, in words; mostly nothing."""
    told = []
    for number, one in enumerate(polygons, 1):
        if not one.is_area:
            told.append(f"polygon {number} has {len(one.points)} points and marks nothing")
        elif crosses_itself(one.points):
            told.append(f"polygon {number} crosses itself: what it surrounds twice is outside")
        if len(one.points) and (one.points.min() < -0.5 or one.points.max() > size_px - 0.5):
            told.append(f"polygon {number} reaches beyond the picture")
    return told


def crosses_itself(points: Points) -> bool:
    """Whether two edges that are no neighbours cross."""
    starts = points.astype(np.float64)
    along = np.roll(starts, -1, 0) - starts
    # sides[i, j]: on which side of edge i the point j lies.
    gaps = starts[None] - starts[:, None]
    sides = np.sign(along[:, None, 0] * gaps[..., 1] - along[:, None, 1] * gaps[..., 0])
    parted = sides * np.roll(sides, -1, 1) < 0
    return bool((parted & parted.T).any())


def _edge_distances(points: Points, x: float, y: float) -> Points:
    """(N,) distance of a place from the edge that begins at each point."""
    along = np.roll(points, -1, 0) - points
    to_place = np.array((x, y), np.float32) - points
    lengths = np.maximum((along**2).sum(1), 1e-12)
    where = np.clip((to_place * along).sum(1) / lengths, 0, 1)
    return np.asarray(np.hypot(*(to_place - where[:, None] * along).T), np.float32)
