"""The training in TensorBoard: losses, speeds, previews and figures, for a browser."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from faceswap.console import command
from faceswap.errors import UserError
from faceswap.train.quality import Figures
from faceswap.types import Frame

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
