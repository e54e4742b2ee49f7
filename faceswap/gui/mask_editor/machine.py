"""What the machine draws, worked out beside the window: proposals, carried polygons, how sure it is."""

from collections.abc import Callable
from typing import TypeAlias

from PySide6.QtCore import QObject, Signal

from faceswap.faceset.polygons import Polygon
from faceswap.faceset.store import Face
from faceswap.gui.background import Newest
from faceswap.gui.mask_editor.pictures import Pictures
from faceswap.masks.crops import MaskNetwork
from faceswap.masks.edit.carry import CropView, carry
from faceswap.masks.edit.propose import propose
from faceswap.masks.edit.suggest import assess

Drawn: TypeAlias = tuple[Polygon, ...]


class Machine(QObject):
    """load: makes the network, once one is needed.

    drawn: number of the face, what is told of it, and its polygons; progress: how far the assessment is, in
    words; assessed: uncertainty by number of the face; failed: why, in words.
    """

    drawn = Signal(int, str, object)
    progress = Signal(str)
    assessed = Signal(object)
    failed = Signal(str)

    def __init__(
        self, pictures: Pictures, load: Callable[[], MaskNetwork], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._pictures, self._load = pictures, load
        self._network: MaskNetwork | None = None
        self._drawing, self._assessing = Newest(self), Newest(self)
        self._drawing.done.connect(lambda tag, polygons: self.drawn.emit(*tag, polygons))
        self._assessing.done.connect(lambda _tag, found: self.assessed.emit(found))
        for newest in (self._drawing, self._assessing):
            newest.failed.connect(lambda _tag, error: self.failed.emit(str(error)))
        self._closed = False

    def propose(self, number: int, face: Face) -> None:
        """Let the network draw a face."""
        self._drawing.ask(
            (number, "proposed by the network"),
            lambda: propose(self._pictures.crop(number), face.meta, self._loaded()),
        )

    def carry(self, number: int, face: Face, source: int, known: Face, polygons: Drawn) -> None:
        """Carry the polygons of another face (`source`) to this one."""
        away = abs(number - source)
        told = f"carried from {known.path.name}, {away} face{'s' if away > 1 else ''} away"

        def work() -> Drawn:
            before = CropView(self._pictures.crop(source), known.meta.crop_landmarks())
            return carry(polygons, before, CropView(self._pictures.crop(number), face.meta.crop_landmarks()))

        self._drawing.ask((number, told), work)

    def assess(self, faces: list[Face]) -> None:
        """Find out how sure the network is of every face."""
        self._assessing.ask(None, lambda: self._assess(faces))

    def close(self) -> None:
        """Wait for what runs."""
        self._closed = True
        self._drawing.close()
        self._assessing.close()

    def _assess(self, faces: list[Face]) -> dict[int, float]:
        numbers = {face.path: number for number, face in enumerate(faces)}
        found: dict[int, float] = {}
        for face, made in assess(faces, self._loaded(), is_wanted=lambda: not self._closed):
            found[numbers[face.path]] = made.uncertainty
            if len(found) % 16 == 0:
                self.progress.emit(f"the network has looked at {len(found)} of {len(faces)}")
        return found

    def _loaded(self) -> MaskNetwork:
        if self._network is None:
            self._network = self._load()
        return self._network
