"""7 merge: lay the swapped face over every frame of the destination

    python -m stages.merge --workspace DIR --model NAME

Reads data_dst/, data_dst/aligned/ (only faces that are there are swapped) and model/NAME/, writes
data_dst/merged/ and data_dst/merged_mask/. Frames without a face are passed on as they are.
Stopped, the same command continues; --again replaces frames that were made another way.
"""

import os
from typing import TYPE_CHECKING

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import command, say, warn
from faceswap.errors import UserError
from faceswap.faceset.store import Faceset
from faceswap.merge.plan import fingerprint, plan
from faceswap.merge.record import Record
from faceswap.merge.run import Summary, merge
from faceswap.merge.settings import MergeSettings
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype
from faceswap.types import Side

if TYPE_CHECKING:
    from faceswap.merge.predict import Predictor


class Settings(StageSettings, MergeSettings):
    model: str | None = option(None, "name of the model; the only one if there is one")
    device: DeviceName = option("auto", "where the model runs")
    precision: Precision = option("auto", "arithmetic of the model; auto is bf16 where the device has it")
    batch_size: int = option(8, "faces swapped at a time", ge=1, le=256)
    workers: int = option(0, "frames composited at a time; 0 is one a core", ge=0, le=128)
    again: bool = option(False, "replace frames made with other settings, model or faces")

    def look(self) -> MergeSettings:
        """The part that decides what the pixels are."""
        return MergeSettings(**self.model_dump(include=set(MergeSettings.model_fields)))


def main(cfg: Settings) -> None:
    place = cfg.place
    run = place.model(cfg.model)
    faceset = Faceset.open(place.aligned(Side.DST))
    # torch takes seconds to import; what is missing should be said at once.
    from faceswap.merge.predict import load_predictor

    device = choose_device(cfg.device)
    predictor = load_predictor(run, device, choose_dtype(cfg.precision, device))
    describe(predictor, faceset, cfg)
    tasks = plan(place.frames(Side.DST), faceset, predictor.identity, cfg.look())
    crowded = sum(len(task.faces) > 1 for task in tasks)
    if crowded:
        say(f"{crowded} frames hold several faces; each is swapped")
    record = Record(place.merged, place.merged_mask, fingerprint(predictor.identity, cfg.look()))
    todo = record.begin(tasks, cfg.again)
    # Replaying a look should not replay the permission to replace files.
    cfg.model_copy(update={"again": False}).save(place.merged / "merge.json")
    already, workers = len(tasks) - len(todo), cfg.workers or os.cpu_count() or 1
    summary = merge(
        todo, record, predictor, cfg.look(), batch_size=cfg.batch_size, workers=workers, already=already
    )
    report(summary, already, cfg)


def describe(predictor: "Predictor", faceset: Faceset, cfg: Settings) -> None:
    model = predictor.identity.partition(",")[0]
    say(f"model {model}: {predictor.face_type} faces of {predictor.resolution} px, mask {cfg.mask_mode}")
    types = {face.meta.face_type for face in faceset.faces} - {predictor.face_type}
    if types:
        # The crops themselves are not read, so any face type serves.
        found = f"data_dst/aligned holds {', '.join(sorted(types))} faces"
        say(f"{found}; {predictor.face_type} crops are cut from the frames by their landmarks")


def report(summary: Summary, already: int, cfg: Settings) -> None:
    merged = f"{summary.merged} frames merged ({summary.faces} faces)"
    say(f"{merged}, {summary.without_face} without a face passed on, {already} were there already")
    if not summary.damaged:
        say(f"merged frames in {cfg.place.merged}")
        say(f"next: {command('stages.encode', '--workspace', cfg.workspace)}")
        return
    for damage in summary.damaged:
        warn(f"{damage.path.name}: {damage.reason}")
    raise UserError(
        f"{len(summary.damaged)} frames could not be read and are missing in {cfg.place.merged}",
        "all others are merged; the damaged ones are named above",
        f"move them away, type {command('stages.extract_dst', '--workspace', cfg.workspace)} to get them "
        "again, "
        "then merge again: it continues",
    )


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
