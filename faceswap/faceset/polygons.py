"""Masks drawn by hand: include and exclude polygons of a face, in the pixels of its crop."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np

from faceswap.faceset.metadata import FaceMeta, MetadataError
from faceswap.geometry.geometry import apply_transform
from faceswap.types import Json, Mask, Points, Transform

Kind = Literal["include", "exclude"]

# Drawn this much finer and averaged, which makes the edges soft; corners in 1/16 of such a pixel.
_FINENESS = 4
_SUBPIXEL_BITS = 4
# Farthest corner in fine pixels: fixed-point numbers overflow beyond, and no picture reaches there.
_FARTHEST = 2**24


@dataclass(frozen=True, eq=False)
class Polygon:
    """One closed outline. points: (N, 2) float32 crop pixel centres; extra: JSON keys unknown here."""

    kind: Kind
    points: Points
    extra: Json = field(default_factory=dict)

    @property
    def is_area(self) -> bool:
        """Whether it has the three points that make an area; with fewer it is a drawing begun."""
        return len(self.points) >= 3


def read_polygons(meta: FaceMeta) -> tuple[Polygon, ...]:
    """The polygons of a face, in the order they were drawn. MetadataError for JSON that is none."""
    return tuple(_polygon(value) for value in meta.polygons)


def polygons_to_json(polygons: Iterable[Polygon]) -> tuple[Json, ...]:
    """What `FaceMeta.polygons` keeps: {"kind": …, "points": [[x, y], …]}, reading back bit for bit."""
    return tuple({**one.extra, "kind": one.kind, "points": _decimals(one.points)} for one in polygons)


def has_area(polygons: Iterable[Polygon]) -> bool:
    """Whether the polygons mark anything as face: an include polygon of at least three points."""
    return any(one.kind == "include" and one.is_area for one in polygons)


def rasterise(polygons: Iterable[Polygon], height: int, width: int, a_to_b: Transform | None = None) -> Mask:
    """The polygons as a mask (height, width), edges averaged over the area of each pixel.

    Every include polygon draws 1, then every exclude polygon 0 (deepfacelab.md §3.2); what an outline
    that crosses itself covers an even number of times is outside. Those of fewer than three points draw
    nothing. a_to_b moves the points first.
    """
    fine = np.zeros((height * _FINENESS, width * _FINENESS), np.uint8)
    for one in sorted((one for one in polygons if one.is_area), key=lambda one: one.kind == "exclude"):
        points = one.points if a_to_b is None else apply_transform(a_to_b, one.points)
        fixed = ((points.astype(np.float64) + 0.5) * _FINENESS - 0.5) * 2**_SUBPIXEL_BITS
        corners = np.rint(np.clip(fixed, -_FARTHEST, _FARTHEST)).astype(np.int32)
        cv2.fillPoly(fine, [corners], 255 if one.kind == "include" else 0, shift=_SUBPIXEL_BITS)
    mask = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(mask, np.float32) / np.float32(255)


def _polygon(value: Any) -> Polygon:
    try:
        kind, points = value["kind"], np.array(value["points"], np.float64).reshape(-1, 2)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MetadataError(f"damaged polygon: {str(error)[:120]}") from None
    with np.errstate(over="ignore"):
        corners = points.astype(np.float32)
    if kind not in ("include", "exclude") or not np.isfinite(corners).all():
        raise MetadataError(f"damaged polygon of kind {str(kind)[:20]!r}, or with a point that is nowhere")
    extra = {key: value[key] for key in value if key not in ("kind", "points")}
    return Polygon(kind, corners, extra)


def _decimals(points: Points) -> list[list[float]]:
    """Nine digits tell every float32 apart."""
    return [[float(f"{x:.9g}"), float(f"{y:.9g}")] for x, y in points]
