"""6.1 preview: watch a training in a window

    python -m stages.preview --workspace DIR --model NAME
    python -m stages.preview --run FOLDER

Faces, loss, quality and speed as they come, and a timelapse of the previews; keys and buttons to save, back
up, show other faces and stop (F1 shows all keys). The window reads the model's folder and asks by small files
in it, so it also works on a folder that another machine trains in, shared or copied.
Closing it changes nothing.
"""

from pathlib import Path

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import command


class Settings(StageSettings):
    model: str | None = option(None, "name of the model (default: the only one, else new)")
    run: Path | None = option(None, "a model's folder anywhere, instead of the workspace's")


def main(cfg: Settings) -> None:
    # It may be opened before the training that it watches.
    folder = (cfg.run or cfg.place.model(cfg.model, new=True)).absolute()
    where = () if cfg.run else ("--workspace", cfg.workspace)
    from faceswap.gui.preview_window.window import watch

    watch(folder, command("stages.train", *where, "--model", folder.name))


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
