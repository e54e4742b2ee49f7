"""What a person does with the masks of a set: which face is open, what is saved, what is thrown away."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, get_args

from faceswap.errors import UserError
from faceswap.faceset.metadata import FaceMeta, MetadataError
from faceswap.faceset.polygons import Polygon, has_area, read_polygons
from faceswap.faceset.store import Face, Faceset
from faceswap.masks.edit.document import Document, State
from faceswap.masks.edit.sheet import Finding, Sheet

Filter: TypeAlias = Literal["all", "without labels", "with labels", "uncertain first", "suggested"]
FILTERS: tuple[Filter, ...] = get_args(Filter)


class _Thrown(NamedTuple):
    """A face in the trash folder, and the state that was open right after it went there."""

    number: int
    trash: Path
    then: State | None


class Drawn(NamedTuple):
    """What is drawn on a face, known by its number."""

    number: int
    meta: FaceMeta
    polygons: tuple[Polygon, ...]


class MaskEditor:
    """faces: of the whole set, also those thrown away; order: numbers of the faces that are gone through;
    at: where in `order` one is; labelled: numbers of the faces with a drawn mask.

    Faces are known by their number in `faces`. What is drawn on a face is saved when it is left; what could
    not be saved stays open, and `unsaved` names it. Nothing here asks: what needs a decision is a `Finding`.
    """

    def __init__(self, faceset: Faceset, suggested: Sequence[int] = ()) -> None:
        self.folder, self.faces = faceset.folder, faceset.faces
        self.labelled = {index for index, face in enumerate(self.faces) if is_labelled(face.meta)}
        self.uncertainties: dict[int, float] = {}
        self._suggested = list(suggested)
        self._sheets: dict[int, Sheet] = {}
        self._thrown: list[_Thrown] = []
        self.filter: Filter = "suggested" if suggested else "all"
        self.order = self._matching(self.filter)
        self.at = 0

    @property
    def index(self) -> int:
        """The number of the open face."""
        return self.order[self.at]

    @property
    def count(self) -> int:
        """How many faces there are, but for those thrown away."""
        return len(self.faces) - len(self._thrown)

    @property
    def face(self) -> Face:
        return self.faces[self.index]

    @property
    def sheet(self) -> Sheet:
        """The open face's. Raises UserError or OSError where its file is gone, or is no face any more."""
        if self.index not in self._sheets:
            self._sheets[self.index] = Sheet(self.face.path)
        return self._sheets[self.index]

    @property
    def document(self) -> Document:
        return self.sheet.document

    # -- going through the set -----------------------------------------------------------------------

    def go(self, position: int) -> Finding:
        """Save, and open the face at another place of `order`; stays where a conflict needs a decision."""
        found = self.save()
        if found != "conflict":
            self.at = min(len(self.order) - 1, max(0, position))
        return found

    def step(self, count: int, *, only_labelled: bool = False) -> Finding:
        """Go on (or back) by `count` faces, or to the next labelled one that way, if there is one."""
        if not only_labelled:
            return self.go(self.at + count)
        way = 1 if count > 0 else -1
        ahead = range(self.at + way, len(self.order) if way > 0 else -1, way)
        return self.go(next((place for place in ahead if self.order[place] in self.labelled), self.at))

    def choose(self, filter: Filter) -> bool:
        """Go through other faces from now on; False where none is of that kind, and nothing changes.

        The order stays as it is while one labels, so that no face is lost from under one's hands.
        """
        if self.save() == "conflict":
            return False
        index, order = self.index, self._matching(filter)
        if not order:
            return False
        self.filter, self.order = filter, order
        self.at = order.index(index) if filter in ("all", "with labels") and index in order else 0
        return True

    def neighbours(self, count: int) -> list[int | None]:
        """The numbers of `count` (odd) faces around the open one, None beyond the ends."""
        places = range(self.at - count // 2, self.at + count // 2 + 1)
        return [self.order[place] if 0 <= place < len(self.order) else None for place in places]

    def nearest_labelled(self) -> int | None:
        """The number of the nearest labelled face, of the same rank in its frame if there is one."""
        here, others = self.index, self.labelled - {self.index}
        alike = {other for other in others if self.faces[other].meta.index == self.face.meta.index}
        return min(alike or others, key=lambda other: (abs(other - here), other), default=None)

    def nearest_drawn(self) -> Drawn | None:
        """What is drawn on the nearest labelled face; None where there is none, or its file is gone."""
        number = self.nearest_labelled()
        if number is None:
            return None
        try:
            sheet = self._sheets.get(number) or Sheet(self.faces[number].path)
        except (UserError, OSError):
            return None
        return Drawn(number, sheet.meta, sheet.document.polygons)

    # -- saving --------------------------------------------------------------------------------------

    def save(self) -> Finding:
        """Write what was drawn on the open face, and whatever could not be written before."""
        found: Finding = "same"
        for index, sheet in list(self._sheets.items()):
            if index == self.index or sheet.is_changed:
                outcome = sheet.save()
                self.note(index)
                found = outcome if index == self.index else found
        return found

    def unsaved(self) -> list[int]:
        """The numbers of faces whose drawing is not in their file."""
        return [index for index, sheet in self._sheets.items() if sheet.is_changed]

    def note(self, index: int) -> None:
        """Count a face as labelled, or not, by what is drawn on it now."""
        sheet = self._sheets.get(index)
        if sheet is not None:
            (self.labelled.add if has_area(sheet.document.polygons) else self.labelled.discard)(index)

    # -- undo, and the trash folder ------------------------------------------------------------------

    def undo(self) -> bool:
        """Back by one step on the open face; right after a face was thrown away, it comes back."""
        thrown = self._thrown[-1] if self._thrown else None
        state = self._state()
        if thrown is not None and state is thrown.then:
            return self.restore()
        return state is not None and self.document.undo()

    @property
    def can_restore(self) -> bool:
        return bool(self._thrown)

    @property
    def trash_folder(self) -> Path:
        """Beside the set, as in DeepFaceLab (deepfacelab.md §6.5)."""
        return self.folder.with_name(f"{self.folder.name}_trash")

    def throw_away(self) -> Finding:
        """Move the open face to the trash folder and open the next; it stays unless the answer is `same`.

        The last face of `order` stays in any case: choose another filter first.
        """
        found = self.save()
        if found in ("conflict", "gone", "unwritable"):
            return found
        if len(self.order) == 1:
            return "unwritable"
        index, trash = self.index, _free(self.trash_folder / self.face.path.name)
        try:
            trash.parent.mkdir(exist_ok=True)
            os.replace(self.face.path, trash)
        except FileNotFoundError:
            return "gone"
        except OSError:
            return "unwritable"
        self.order.remove(index)
        self.labelled.discard(index)
        self._sheets.pop(index, None)
        self.at = min(self.at, len(self.order) - 1)
        self._thrown.append(_Thrown(index, trash, self._state()))
        return "same"

    def restore(self) -> bool:
        """Bring back the face thrown away last, and open it; False where there is none, or no way back."""
        if not self._thrown or self.save() == "conflict":
            return False
        index, trash, _ = self._thrown[-1]
        path = self.faces[index].path
        try:
            if path.exists():
                return False
            os.replace(trash, path)
        except OSError:
            return False
        self._thrown.pop()
        place = sum(other < index for other in self.order) if self.filter == "all" else self.at
        self.order.insert(place, index)
        self.at = place
        _ = self.sheet
        self.note(index)
        return True

    def _state(self) -> State | None:
        """Of the open face; None where its file is gone."""
        try:
            return self.document.state
        except (UserError, OSError):
            return None

    def _matching(self, filter: Filter) -> list[int]:
        away = {thrown.number for thrown in self._thrown}
        there = [index for index in range(len(self.faces)) if index not in away]
        found: Mapping[Filter, Callable[[], list[int]]] = {
            "all": lambda: there,
            "without labels": lambda: [index for index in there if index not in self.labelled],
            "with labels": lambda: [index for index in there if index in self.labelled],
            "uncertain first": lambda: sorted(
                (index for index in there if index not in self.labelled),
                key=lambda index: -self.uncertainties.get(index, 0.0),
            ),
            "suggested": lambda: [index for index in self._suggested if index not in away],
        }
        return found[filter]()


def is_labelled(meta: FaceMeta) -> bool:
    """Whether a mask was drawn on a face, and can be read."""
    try:
        return bool(meta.polygons) and has_area(read_polygons(meta))
    except MetadataError:
        return False


def _free(path: Path) -> Path:
    """`path`, or with a number where there is such a file already."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free
