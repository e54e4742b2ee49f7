"""5.1 mask_edit: draw by hand what of a crop is face

    python -m stages.mask_edit --workspace DIR --side dst
    python -m stages.mask_edit --workspace DIR --side src --suggest 50 --model NAME
    python -m stages.mask_edit --set FOLDER

Opens a window on data_dst/aligned/ (or the set that is named) with DeepFaceLab's keys, F1 shows all: polygons
and a brush, P for a mask proposed by a network, C to carry one along from the nearest face that has one. What
is drawn is kept in the face's file when the next face is opened, its pixels stay as they are. --suggest goes
through the faces that would teach most: those on which the network is unsure, and which differ most from what
is labelled; a few numbers a face are kept in masks/assessed.jsonl for the next time. Without --model it is
model/masks (stages.mask_train), where there is one, else the bundled model.
"""

import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import command, progress_bar, say, warn
from faceswap.errors import UserError
from faceswap.faceset.store import Faceset
from faceswap.masks.crops import MaskNetwork
from faceswap.masks.edit.editing import MaskEditor, is_labelled
from faceswap.masks.edit.suggest import Assessment, assess, suggest
from faceswap.masks.selection import choose_model
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype
from faceswap.types import Side


class Settings(StageSettings):
    side: Literal["dst", "src"] = option("dst", "whose faces")
    set: Path | None = option(None, "a folder of aligned faces, instead of the workspace's")
    suggest: int = option(0, "go through so many faces that would teach most; 0 is all faces", ge=0, le=5000)
    model: str | None = option(
        None, "mask model: a name in model/, or bundled; by default model/masks, else the bundled one"
    )
    device: DeviceName = option("auto", "where the model runs")
    precision: Precision = option("auto", "arithmetic of the model; auto is bf16 where the device has it")

    @property
    def folder(self) -> Path:
        return self.set or self.place.aligned(Side(self.side))

    def writes(self) -> Iterable[Path]:
        return [self.folder]


def main(cfg: Settings) -> None:
    folder = cfg.folder
    if folder.is_file():
        found = f"{folder.name} is a file" + (", a packed set" if folder.suffix == ".pak" else "")
        raise UserError("masks are drawn on a folder of aligned faces", found, "unpack it first")
    faceset = Faceset.open(folder)
    load = loader(cfg)
    seen = assess_all(faceset, load()) if cfg.suggest else {}
    editor = MaskEditor(faceset, find_suggestions(faceset, seen, cfg.suggest) if seen else ())
    editor.uncertainties = {number: made.uncertainty for number, made in seen.items()}
    from faceswap.gui.mask_editor.window import edit

    edit(editor, load, writable=os.access(folder, os.W_OK))
    say(f"{len(editor.labelled)} of {editor.count} faces have a drawn mask")
    for number in editor.unsaved():
        warn(f"what was drawn on {editor.faces[number].path.name} could not be saved")
    say(f"next: {command('stages.mask_train', '--workspace', cfg.workspace)}")


def loader(cfg: Settings) -> Callable[[], MaskNetwork]:
    """What loads the mask network, once, when it is needed."""
    folder = choose_model(cfg.place, cfg.model)

    @cache
    def load() -> MaskNetwork:
        # torch takes seconds to import, and who draws by hand needs none of it.
        from faceswap.masks.segmenter import load_segmenter

        device = choose_device(cfg.device)
        return load_segmenter(folder, device, choose_dtype(cfg.precision, device))

    return load


def assess_all(faceset: Faceset, network: MaskNetwork) -> dict[int, Assessment]:
    """By the number of the face; those that cannot be read are left out."""
    numbers = {face.path: number for number, face in enumerate(faceset.faces)}
    seen = {}
    with progress_bar("assess", "faces", len(faceset.faces)) as bar:
        for face, made in assess(faceset.faces, network, workers=os.cpu_count() or 1):
            seen[numbers[face.path]] = made
            bar.update()
    if not seen:
        raise UserError(f"no face in {faceset.folder} can be read", "", "align again")
    return seen


def find_suggestions(faceset: Faceset, seen: dict[int, Assessment], count: int) -> list[int]:
    """The numbers of the faces worth labelling, the best first."""
    known = sorted(seen)
    labelled = [place for place, number in enumerate(known) if is_labelled(faceset.faces[number].meta)]
    unsure = [seen[number].uncertainty for number in known]
    chosen = suggest(unsure, np.stack([seen[number].features for number in known]), count, labelled)
    say(f"{len(chosen)} faces would teach most; {len(labelled)} have a drawn mask already")
    return [known[place] for place in chosen]


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
