"""- train_faces: train the bundled face finder and landmarker, or measure them

    python -m stages.train_faces --data ../shared/data --minutes 60
    python -m stages.train_faces --data ../shared/data --measure

Reads the training data described in its README.md, keeps what it decoded and its state in --work,
writes finder.onnx and landmarks.onnx into --output. Stopped, the same command continues. --measure
trains nothing: it examines the pack in --output and writes measured.json beside it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import command, say
from faceswap.errors import UserError
from faceswap.io.files import write_json
from faceswap.workspace import assets


class Settings(StageSettings):
    data: Path = option(Path("../shared/data"), "folder of the training data, with teachers/")
    part: Literal["both", "finder", "landmarks"] = option("both", "the model to train")
    minutes: float = option(0.0, "training time of each model; 0: --steps", unit="min", ge=0, le=10000)
    steps: int = option(12000, "batches of each model (32 crops, 1.2 Mpx of scenes)", ge=1, le=10**7)
    seed: int = option(0, "of weights, batches and augmentation", ge=0, le=2**32 - 1)
    threads: int = option(0, "cores to train on; 0 is all", ge=0, le=1024)
    work: Path = option(Path(".work/faces"), "folder for decoded faces and the state of the training")
    output: Path = option(assets() / "faces", "folder of the pack")
    measure: bool = option(False, "measure the pack in --output instead of training")
    stills: Path | None = option(None, "only write the synthetic stills there, as a faceset for a base model")
    every: int = option(1, "measure only every n-th picture", ge=1, le=1000)

    def writes(self) -> Iterable[Path]:
        if self.stills is not None:
            return [self.stills]
        return [] if self.measure else [self.work, self.output]


def main(cfg: Settings) -> None:
    if not (cfg.data / "teachers").is_dir():
        raise UserError(f"no training data in {cfg.data}", "", "name its folder: --data DIR")
    if cfg.stills is not None:
        from faceswap.facepack.stills_faceset import write_stills

        say(f"{write_stills(cfg.data, cfg.stills)} faces in {cfg.stills}")
        return
    if cfg.measure:
        _measure(cfg)
        return
    from faceswap.facepack.make import labelled_faces, make, use_threads
    from faceswap.learn.loop import Schedule

    use_threads(cfg.threads)
    faces = labelled_faces(cfg.data, cfg.work)
    schedule = Schedule(cfg.steps, cfg.minutes, cfg.seed)
    for part in ("finder", "landmarks") if cfg.part == "both" else (cfg.part,):
        make(part, faces, cfg.work, cfg.output, schedule)
    cfg.save(cfg.work / "train_faces.json")
    say(f"next: {command('stages.train_faces', '--data', cfg.data, '--measure')}")


def _measure(cfg: Settings) -> None:
    from faceswap.facepack.measure import measure, table

    scores = measure(cfg.output, cfg.data, cfg.work, cfg.every)
    write_json(cfg.output / "measured.json", scores)
    say(table(scores))
    say(f"pictures of misses and of boxes without a face in {cfg.work / 'misses'}")


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
