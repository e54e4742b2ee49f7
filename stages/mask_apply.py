"""5.1 mask_apply: find the face in every crop and store it as the crop's mask

    python -m stages.mask_apply --workspace DIR
    python -m stages.mask_apply --workspace DIR --side dst --smooth --model NAME

Reads data_src/aligned/ and data_dst/aligned/, writes masks/ in each: soft 8-bit PNG of 256 px, named like the
crops. Training and merging use them; a face with a drawn mask keeps that. Without --model it is model/masks
(stages.mask_train), where there is one, else the bundled model. Stopped, the same command continues; masks
that the same model made from the same crop are kept, --again makes all anew.
--smooth makes masks steady along each face's track through the frames, --no-smooth takes it back. What
smoothing does to the flicker is said and written to masks/apply.json.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from time import monotonic

from faceswap.config import option, run_stage
from faceswap.console import say, warn
from faceswap.faceset.store import Faceset
from faceswap.faceset.stored_masks import FOLDER, count_known, counted, masks_of
from faceswap.io.files import write_json
from faceswap.masks.apply import apply
from faceswap.masks.crops import MaskNetwork
from faceswap.masks.selection import SetSettings, choose_model
from faceswap.masks.smooth import is_smoothed, smooth, unsmooth
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype
from faceswap.types import Side
from faceswap.walk import next_step


class Settings(SetSettings):
    model: str | None = option(
        None, "mask model: a name in model/, or bundled; by default model/masks, else the bundled one"
    )
    smooth: bool | None = option(None, "make masks steady along time; by default as it was")
    device: DeviceName = option("auto", "where the model runs")
    precision: Precision = option("auto", "arithmetic of the model; auto is bf16 where the device has it")
    batch_size: int = option(0, "crops at a time; 0 is 8 on a processor, 32 on a GPU", ge=0, le=256)
    workers: int = option(0, "crops read and masks written at a time; 0 is one a core", ge=0, le=128)
    again: bool = option(False, "make every mask anew")

    def writes(self) -> Iterable[Path]:
        return map(masks_of, self.folders())

    def reads(self) -> Iterable[Path]:
        return self.folders()


def main(cfg: Settings) -> None:
    sets = cfg.sets()
    folder = choose_model(cfg.place, cfg.model)
    # torch takes seconds to import; what is missing should be said at once.
    from faceswap.masks.segmenter import load_segmenter

    device = choose_device(cfg.device)
    network = load_segmenter(folder, device, choose_dtype(cfg.precision, device))
    say(f"mask model {network.identity}: {network.face_type} faces of {network.input_px} px, on {device}")
    batch_size = cfg.batch_size or (8 if device.type == "cpu" else 32)
    for side, faceset in sets.items():
        work(cfg, side, faceset, network, batch_size)
    say(f"next: {next_step(cfg.place, 'mask_apply')}")


def work(cfg: Settings, side: Side, faceset: Faceset, network: MaskNetwork, batch_size: int) -> None:
    """Mask one faceset, and make the masks steady where asked."""
    workers = cfg.workers or os.cpu_count() or 1
    is_smooth = any(map(is_smoothed, faceset.faces))
    began = monotonic()
    done = apply(faceset, network, batch_size, workers, side, again=cfg.again)
    rate = f" ({done.made / max(monotonic() - began, 1e-3):.0f}/s)" if done.made else ""
    say(
        f"{side}: {done.made} masks made{rate}, {done.kept} were there; {counted(count_known(faceset.faces))}"
    )
    for name, reason in done.failed.items():
        warn(f"{name} has no new mask: {reason}")
    report = {"model": network.identity, "faces": len(faceset.faces)}
    if is_smooth if cfg.smooth is None else cfg.smooth:
        told = smooth(faceset, workers, side)
        report |= {"flicker": told.to_json()}
        say(
            f"{side}: masks flicker by {told.after:.3%}, before smoothing by {told.before:.3%} (mean change "
            f"over the crop from frame to frame, {told.pairs} pairs)"
        )
    elif is_smooth:
        say(f"{side}: {unsmooth(faceset)} masks are as the model gave them again")
    write_json(faceset.folder / FOLDER / "apply.json", report)


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
