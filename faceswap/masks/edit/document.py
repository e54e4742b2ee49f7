"""The polygons of one face while they are drawn: every edit, and undo and redo without limit.

A state is never changed, only followed by another, so a step to undo is a reference to the state before; what
no step has touched is shared by all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from faceswap.faceset.polygons import Kind, Polygon
from faceswap.types import Points


@dataclass(frozen=True, eq=False)
class State:
    """draft: the points placed so far of a polygon that is not closed yet."""

    polygons: tuple[Polygon, ...] = ()
    draft: Polygon | None = None


class Place(NamedTuple):
    """A point of a polygon, or the edge that begins at it: numbers of the polygon and of the point."""

    polygon: int
    point: int


class Document:
    """Points are (x, y) in crop pixel centres. Every edit is one step to undo; a drag is one from its first
    move to `settle`. Numbers that name no polygon or point raise IndexError.
    """

    def __init__(self, polygons: Iterable[Polygon] = (), draft: Polygon | None = None) -> None:
        self._state = State(tuple(polygons), draft)
        self._undo: list[State] = []
        self._redo: list[State] = []
        self._moving = False

    @property
    def state(self) -> State:
        return self._state

    @property
    def polygons(self) -> tuple[Polygon, ...]:
        return self._state.polygons

    @property
    def draft(self) -> Polygon | None:
        return self._state.draft

    @property
    def can_undo(self) -> bool:
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        return bool(self._redo)

    def undo(self) -> bool:
        """Back by one step; False at the beginning."""
        return self._step(self._undo, self._redo)

    def redo(self) -> bool:
        """Forward by one step; False where nothing was undone."""
        return self._step(self._redo, self._undo)

    def settle(self) -> None:
        """A drag has ended: what follows is a step of its own."""
        self._moving = False

    # -- a polygon that is being drawn ---------------------------------------------------------------

    def place(self, kind: Kind, x: float, y: float) -> None:
        """Add a point to the draft, or begin one."""
        draft = self.draft or Polygon(kind, _points([]))
        points = np.vstack([draft.points, _points([(x, y)])])
        self._do(replace(self._state, draft=replace(draft, points=points)))

    def turn_draft(self, kind: Kind) -> bool:
        """Make the draft include or exclude what it will surround; False where nothing changes."""
        if self.draft is None or self.draft.kind == kind:
            return False
        self._do(replace(self._state, draft=replace(self.draft, kind=kind)))
        return True

    def close(self) -> bool:
        """Make the draft a polygon; False where it has fewer than three points, and stays a draft."""
        if self.draft is None or not self.draft.is_area:
            return False
        self._do(State((*self.polygons, self.draft)))
        return True

    def drop_draft(self) -> bool:
        """Forget the draft; False where there is none."""
        if self.draft is None:
            return False
        self._do(State(self.polygons))
        return True

    # -- finished polygons ---------------------------------------------------------------------------

    def replace_all(self, polygons: Iterable[Polygon]) -> None:
        """Other polygons instead of all there are; those of fewer than three points are left out."""
        self._keep(tuple(one for one in polygons if one.is_area))

    def adopt(self, state: State) -> None:
        """Another state altogether, as one step."""
        self._do(state)

    def move_point(self, at: Place, x: float, y: float, *, moving: bool = False) -> None:
        """Put a point elsewhere. moving: the drag goes on, and is one step with what follows."""
        points = self.polygons[at.polygon].points.copy()
        points[at.point] = x, y
        self._swap(at.polygon, points, moving)

    def shift(self, polygon: int, dx: float, dy: float, *, moving: bool = False) -> None:
        """Move a whole polygon."""
        self._swap(polygon, self.polygons[polygon].points + _points([(dx, dy)]), moving)

    def insert_point(self, edge: Place, x: float, y: float) -> Place:
        """Add a point on the edge that begins at `edge`; returns where the new point is."""
        points = self.polygons[edge.polygon].points
        new = Place(edge.polygon, edge.point + 1)
        self._swap(edge.polygon, np.insert(points, new.point, _points([(x, y)]), axis=0))
        return new

    def remove_point(self, at: Place) -> bool:
        """Take a point away; False where the polygon went with it, because fewer than three were left."""
        points = self.polygons[at.polygon].points
        if len(points) <= 3:
            self.remove(at.polygon)
            return False
        self._swap(at.polygon, np.delete(points, at.point, axis=0))
        return True

    def remove(self, polygon: int) -> None:
        """Take a polygon away."""
        kept = list(self.polygons)
        del kept[polygon]
        self._keep(tuple(kept))

    def set_kind(self, polygon: int, kind: Kind) -> None:
        """Make a polygon include or exclude what it surrounds."""
        self._put(polygon, replace(self.polygons[polygon], kind=kind))

    def _swap(self, polygon: int, points: Points, moving: bool = False) -> None:
        self._put(polygon, replace(self.polygons[polygon], points=points.astype(np.float32)), moving)

    def _put(self, polygon: int, changed: Polygon, moving: bool = False) -> None:
        polygons = list(self.polygons)
        polygons[polygon] = changed
        self._keep(tuple(polygons), moving)

    def _keep(self, polygons: tuple[Polygon, ...], moving: bool = False) -> None:
        self._do(replace(self._state, polygons=polygons), moving)

    def _do(self, state: State, moving: bool = False) -> None:
        if not (moving and self._moving):
            self._undo.append(self._state)
            self._redo.clear()
        self._state, self._moving = state, moving

    def _step(self, source: list[State], other: list[State]) -> bool:
        self.settle()
        if not source:
            return False
        other.append(self._state)
        self._state = source.pop()
        return True


def _points(places: Sequence[tuple[float, float]]) -> Points:
    return np.array(places, np.float32).reshape(-1, 2)
