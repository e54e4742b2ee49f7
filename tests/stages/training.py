"""The stage that trains, run in this process on networks as small as they come."""

from pathlib import Path

from stages.train import Settings, main

SIZES = "--resolution 64 --ae-dims 32 --encoder-dims 16 --decoder-dims 16 --mask-dims 16"


def train(workspace: Path, *words: str) -> None:
    main(Settings.parse(["--workspace", str(workspace), *words]))
