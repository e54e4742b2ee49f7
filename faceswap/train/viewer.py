"""Pictures of a running training: in the run folder and in TensorBoard."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.console import command
from faceswap.errors import UserError
from faceswap.io.images import write_image
from faceswap.train.data.batches import Batches
from faceswap.train.data.samples import SampleStore
from faceswap.train.log import History, Journal
from faceswap.train.preview import MEAN_OF, PreviewFaces, contact_sheet, loss_plot
from faceswap.train.quality import Figures
from faceswap.train.run import Run
from faceswap.train.update.steps import TrainStep
from faceswap.train.watch.folder import MASKED, PREVIEW, TIMELAPSE, timelapse_picture
from faceswap.types import Frame

_PAPER, _LINES, _INK = 24, 70, (225, 225, 225)
_ROW_PX, _WIDTH_PX, _LEFT_PX, _EDGE_PX = 110, 900, 200, 12
_BETTER = {
    "psnr": "more is better, dB",
    "ssim": "more is better",
    "landmarks": "less is better",
    "identity_src": "more is better",
    "identity_dst": "less is better",
}


def quality_plot(figures: Sequence[Figures]) -> Frame:
    """(H, 900, 3) uint8: a row a figure that is known, over the iterations, with its range and last value."""
    names = [field.name for field in fields(Figures) if field.name != "iteration"]
    series = {name: [(f.iteration, getattr(f, name)) for f in figures] for name in names}
    known = {
        name: np.array([p for p in points if p[1] is not None], np.float64) for name, points in series.items()
    }
    known = {name: points for name, points in known.items() if len(points)}
    plot = np.full((_ROW_PX * len(known), _WIDTH_PX, 3), _PAPER, np.uint8)
    for row, (name, points) in enumerate(known.items()):
        _draw(plot[row * _ROW_PX : (row + 1) * _ROW_PX], name, points)
    return plot


def _draw(area: Frame, name: str, points: np.ndarray) -> None:
    steps, values = points[:, 0], points[:, 1]
    low, high = float(values.min()), float(values.max())
    x = _scaled(steps, _LEFT_PX, _WIDTH_PX - _EDGE_PX)
    y = _scaled(values, _ROW_PX - _EDGE_PX, _EDGE_PX)
    area[-1] = _LINES
    curve = np.rint(np.stack([x, y], axis=1)).astype(np.int32)
    cv2.polylines(area, [curve], False, _INK, 1, cv2.LINE_AA)
    for point in curve:
        cv2.circle(area, tuple(map(int, point)), 2, _INK, -1, cv2.LINE_AA)
    best = low if _BETTER[name].startswith("less") else high
    texts = (f"{name.replace('_', ' ')} {values[-1]:.4f}", f"best {best:.4f}", _BETTER[name])
    for line, text in enumerate(texts):
        cv2.putText(area, text, (6, 28 + 24 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)


def _scaled(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """Values from their least to their most as start … end; the middle where they are all the same."""
    span = float(np.ptp(values))
    share = (values - values.min()) / span if span else np.full(len(values), 0.5)
    return np.asarray(start + share * (end - start))


FOLDER = "tensorboard"


class Board:
    """Writes event files into RUN/tensorboard; what was logged after `iteration` is not shown any more."""

    def __init__(self, run: Path, iteration: int) -> None:
        """Raises UserError where TensorBoard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UserError(
                "--tensorboard needs a package that is not installed",
                "",
                "pip install tensorboard, or leave it out and look at preview.png and loss.png",
            ) from None
        self._writer = SummaryWriter(str(run / FOLDER), purge_step=iteration + 1)
        self.hint = f"look at it: {command('tensorboard.main', '--logdir', run / FOLDER)}"

    def losses(self, iteration: int, losses: Mapping[str, float]) -> None:
        """The losses of one iteration by name."""
        for name, value in losses.items():
            self._writer.add_scalar(f"loss/{name}", value, iteration)

    def speed(self, iteration: int, seconds: float, samples: int, waited: float) -> None:
        """How long it took for how many faces, and the share of the time spent waiting for data."""
        self._writer.add_scalar("speed/ms_per_iteration", 1000 * seconds, iteration)
        self._writer.add_scalar("speed/samples_per_s", samples / seconds, iteration)
        self._writer.add_scalar("speed/share_waited", waited, iteration)

    def figures(self, figures: Figures) -> None:
        """The figures of the held-back faces, those that could be told."""
        for name, value in asdict(figures).items():
            if name != "iteration" and value is not None:
                self._writer.add_scalar(f"quality/{name}", value, figures.iteration)

    def picture(self, iteration: int, sheet: Frame) -> None:
        """A preview's contact sheet."""
        self._writer.add_image("preview", sheet, iteration, dataformats="HWC")

    def close(self) -> None:
        self._writer.close()


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
