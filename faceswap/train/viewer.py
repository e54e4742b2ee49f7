"""Pictures of a running training: what a person looks at, in the run folder and in TensorBoard."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.io.images import write_image
from faceswap.train.batches import Batches
from faceswap.train.board import Board
from faceswap.train.history import History
from faceswap.train.journal import Journal
from faceswap.train.plots import quality_plot
from faceswap.train.preview import MEAN_OF, PreviewFaces, contact_sheet, loss_plot
from faceswap.train.quality import Figures
from faceswap.train.run import Run
from faceswap.train.samples import SampleStore
from faceswap.train.steps import TrainStep
from faceswap.train.watch.folder import MASKED, PREVIEW, TIMELAPSE, timelapse_picture

PREVIEW_ROWS = 4


class Viewer:
    """Draws previews. board: TensorBoard's, or None."""

    def __init__(
        self, run: Run, step: TrainStep, batches: Batches, journal: Journal, board: Board | None = None
    ) -> None:
        self._run, self._step, self._batches, self._journal, self._board = run, step, batches, journal, board
        self._draws = 0
        for path in (run.folder / TIMELAPSE).glob("*.jpg"):
            if path.stem.isdigit() and int(path.stem) > run.iteration:
                path.unlink()

    def draw_others(self) -> None:
        """Show other faces from the next preview on."""
        self._draws += 1

    def look(self) -> PreviewFaces:
        """A few faces of each side and what the model makes of them."""
        return self._step.preview(self._rows_of(self._batches.src), self._rows_of(self._batches.dst))

    def show(
        self, faces: PreviewFaces, history: History, figures: list[Figures], schedule_timelapse: int
    ) -> None:
        """Write previews, loss.png, quality.png and the timelapse; a full disk costs only the pictures."""
        run = self._run
        title = f"{run.folder.name}  {run.model.spec.arch}  iteration {run.iteration:,}"
        if len(history):
            src, dst = history.mean_since(run.iteration - MEAN_OF)
            title += f"  loss src {src:.4f} dst {dst:.4f}"
        sheet = contact_sheet(faces, title)
        try:
            write_image(run.folder / PREVIEW, sheet)
            write_image(run.folder / MASKED, contact_sheet(faces, title, masked=True))
            write_image(run.folder / "loss.png", loss_plot(history.src, history.dst, run.iteration))
            if figures:
                write_image(run.folder / "quality.png", quality_plot(figures))
            if schedule_timelapse:
                write_image(timelapse_picture(run.folder, run.iteration), sheet, quality=85)
                thin_out(run.folder / TIMELAPSE, schedule_timelapse)
        except OSError as error:
            self._journal.warn(f"no preview could be written: {error}")
        if self._board is not None:
            self._board.picture(run.iteration, sheet)

    def _rows_of(self, store: SampleStore) -> NDArray[np.uint8]:
        if not self._draws:
            return store.spread(PREVIEW_ROWS)
        generator = np.random.default_rng([self._run.seed, self._draws])
        return store.take(generator.choice(len(store), min(PREVIEW_ROWS, len(store)), replace=False))


def thin_out(folder: Path, most: int) -> None:
    """Delete numbered pictures until `most` are left, always the one nearest to the one before it.

    Near is meant in proportion to the number, as a model changes fastest in the beginning. The first and the
    newest stay.
    """
    pictures = sorted(path for path in folder.glob("*.jpg") if path.stem.isdigit())
    while len(pictures) > max(2, most):
        numbers = [int(path.stem) for path in pictures]
        steps = [after / max(1, before) for before, after in pairwise(numbers)]
        drop = 1 + int(np.argmin(steps[:-1]))
        pictures.pop(drop).unlink()
