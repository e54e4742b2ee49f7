"""The polygons of one face and the file they belong to, which other programs may change meanwhile."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from faceswap.errors import UserError
from faceswap.faceset.metadata import FaceMeta, MetadataError
from faceswap.faceset.polygons import Polygon, polygons_to_json, read_polygons
from faceswap.faceset.store import read_meta, rewrite_meta
from faceswap.geometry.geometry import apply_transform, compose_transforms, invert_transform
from faceswap.masks.edit.document import Document, State
from faceswap.types import Json, Transform

# Metadata key of the points of a polygon that was not closed when its face was left.
DRAFT_KEY = "mask_draft"

# same: nothing new; newer: the file was changed elsewhere, and what it says now is shown; conflict: it was,
# and so were the polygons here; gone: there is no such file, or it is no face any more; unwritable: the
# disk refused.
Finding: TypeAlias = Literal["same", "newer", "conflict", "gone", "unwritable"]


class Sheet:
    """document: what is drawn; meta: the face as its file last told.

    oddity: what could not be read, in words; "" mostly. Raises UserError or OSError where there is no face.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = _stamp(path)
        self.meta = read_meta(path)
        self.oddity = ""
        self._clean = self._state(self.meta)
        self.document = Document(self._clean.polygons, self._clean.draft)

    @property
    def is_changed(self) -> bool:
        """Whether there is something to save."""
        state = self.document.state
        return state is not self._clean and _json(state) != _json(self._clean)

    def look(self) -> Finding:
        """What has become of the file since it was last read or written."""
        try:
            stamp = _stamp(self.path)
            if stamp == self._stamp:
                return "same"
            meta = read_meta(self.path)
        except (OSError, UserError):
            return "gone"
        if _raw(meta) == _raw(self.meta):
            self._follow(meta)
        elif self.is_changed:
            return "conflict"
        else:
            self._take(meta)
        self._stamp = stamp
        return "newer"

    def save(self) -> Finding:
        """Write what was drawn, if anything; the pixels stay as they are. same: written, or nothing to do."""
        found = self.look()
        if found in ("conflict", "gone") or not self.is_changed:
            return found
        state = self.document.state
        extra = {key: value for key, value in self.meta.extra.items() if key != DRAFT_KEY}
        if state.draft is not None:
            extra[DRAFT_KEY] = polygons_to_json([state.draft])[0]
        meta = replace(self.meta, polygons=polygons_to_json(state.polygons), extra=extra)
        try:
            rewrite_meta(self.path, meta)
        except FileNotFoundError:
            return "gone"
        except OSError:
            return "unwritable"
        self.meta, self._clean, self._stamp = meta, state, _stamp(self.path)
        return found

    def keep_mine(self) -> None:
        """After a conflict: what is drawn here counts; one step to undo leads to what the file says."""
        self._settle(mine_on_top=True)

    def take_theirs(self) -> None:
        """After a conflict: what the file says counts; one step to undo leads to what was drawn here."""
        self._settle(mine_on_top=False)

    def _settle(self, mine_on_top: bool) -> None:
        mine, before = self.document.state, self.meta
        self._stamp = _stamp(self.path)
        self._take(read_meta(self.path))
        if mine_on_top:
            self.document.adopt(_moved(mine, _crop_to_crop(before, self.meta)))

    def _take(self, meta: FaceMeta) -> None:
        self._clean = self._state(meta)
        self.document.adopt(self._clean)
        self.meta = meta

    def _follow(self, meta: FaceMeta) -> None:
        """The same polygons on another crop or other metadata: they stay where they were in the frame."""
        to_new = _crop_to_crop(self.meta, meta)
        if not np.allclose(to_new, np.eye(2, 3), atol=1e-6):
            # What the file says lies in its new crop already; what was drawn here lies in the old one.
            changed = self.is_changed
            mine = _moved(self.document.state, to_new)
            self._clean = self._state(meta)
            self.document.adopt(mine if changed else self._clean)
        self.meta = meta

    def _state(self, meta: FaceMeta) -> State:
        try:
            draft = _draft(meta)
            self.oddity = ""
            return State(read_polygons(meta), draft)
        except MetadataError as error:
            self.oddity = f"what was drawn on this face cannot be read ({error}); drawing replaces it"
            return State()


def _draft(meta: FaceMeta) -> Polygon | None:
    if DRAFT_KEY not in meta.extra:
        return None
    found = read_polygons(replace(meta, polygons=(meta.extra[DRAFT_KEY],)))[0]
    return found if len(found.points) else None


def _moved(state: State, a_to_b: Transform) -> State:
    def move(one: Polygon) -> Polygon:
        return replace(one, points=apply_transform(a_to_b, one.points).astype(np.float32))

    return State(tuple(map(move, state.polygons)), state.draft and move(state.draft))


def _crop_to_crop(old: FaceMeta, new: FaceMeta) -> Transform:
    return compose_transforms(new.frame_to_face, invert_transform(old.frame_to_face))


def _json(state: State) -> tuple[Json, ...]:
    drawn: Iterable[Polygon] = state.polygons if state.draft is None else (*state.polygons, state.draft)
    return ({"draft": state.draft is not None}, *polygons_to_json(drawn))


def _raw(meta: FaceMeta) -> tuple[Any, ...]:
    return (*meta.polygons, meta.extra.get(DRAFT_KEY))


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
