"""- export_base: keep of a trained model what others can start from

    python -m stages.export_base --model NAME --output FOLDER
    python -m stages.train --model OTHER --base FOLDER

A base trained on many faces, the same for src and dst, spares a new model the first hours. It is
written in half precision and, for DF, with one decoder, which serves both sides.
"""

from collections.abc import Iterable
from pathlib import Path

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import say
from faceswap.errors import UserError
from faceswap.io.files import gib


class Settings(StageSettings):
    model: str | None = option(None, "name of the model (default: the only one)")
    output: Path | None = option(None, "new folder for the base")

    def writes(self) -> Iterable[Path]:
        return [self.output] if self.output else []


def main(cfg: Settings) -> None:
    if cfg.output is None:
        raise UserError("no folder for the base was named", "", "add --output FOLDER")
    run = cfg.place.model(cfg.model)
    from faceswap.models.arch import ModelSpec
    from faceswap.train.base import describe, export_base

    loaded = export_base(run, cfg.output)
    spec = ModelSpec.from_json(loaded.state["spec"])
    size = sum(path.stat().st_size for path in cfg.output.iterdir())
    say(f"{describe(spec)} at iteration {loaded.iteration}: {gib(size)} in {cfg.output}")


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
