"""The sub-commands of stages.detector that make a set and look at it: gather, add, redraw, probe.

What they need is imported when they run, so that --help is there at once.
"""

from pathlib import Path
from typing import Literal

from faceswap.config import option
from faceswap.console import command, say
from faceswap.io.files import write_json
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype
from stages.detector.settings import MakeSettings, SetSettings, need

# Side of the crops that probes look at, that of the bundled detector's.
PROBED_PX = 128


class GatherSettings(MakeSettings):
    data: Path | None = option(None, "folder of collections: actors, landmarked, segmented, lfw_gray, clips")


class AddSettings(MakeSettings):
    manipulation: str = option("ae-late", "what to call these swaps")
    identity: str | None = option(None, "the person in the frames, COLLECTION/NAME")
    donor: str | None = option(None, "the person whose face was put in, COLLECTION/NAME")
    every: int = option(1, "take every so many-th frame", ge=1, le=1000)


class RedrawSettings(MakeSettings):
    manipulation: str = option("ae-late", "what to call these swaps")
    model: str | None = option(None, "name of the model in the workspace; the only one if there is one")
    device: DeviceName = option("auto", "where the model runs")
    precision: Precision = option("auto", "arithmetic of the model")


class ProbeSettings(SetSettings):
    split: Literal["train", "val", "test"] = option("train", "whose people")
    exam_pairs: int = option(300, "pairs of each manipulation", ge=50, le=20000)


def gather(cfg: GatherSettings) -> None:
    """Write the real crops of the data folder's collections to a set."""
    from faceswap.detector.data.gather import gather

    gather(need(cfg.data, "--data DIR"), cfg.set_)
    say(f"next: {command('stages.detector', 'train', '--set', cfg.set_, '--output', 'FOLDER')}")


def add(cfg: AddSettings) -> None:
    """Add the swaps of a finished workspace, with the untouched frames, to a set."""
    from faceswap.detector.data.manifest import read_manifest, write_manifest
    from faceswap.detector.data.pairs import Origin, add_pairs, open_finished

    there, finished = {item.file: item for item in read_manifest(cfg.set_)}, open_finished(cfg.place)
    who, donor = need(cfg.identity, "--identity WHO"), need(cfg.donor, "--donor WHO")
    video, dataset = who.replace("/", "_"), who.partition("/")[0]
    new = add_pairs(cfg.set_, finished, Origin(cfg.manipulation, who, donor, video, dataset), cfg.every)
    write_manifest(cfg.set_, (there | {item.file: item for item in new}).values())
    splits = ", ".join(sorted({item.split for item in new}))
    say(f"{len(new) // 2} swaps added as {cfg.manipulation} to {splits}")


def redraw(cfg: RedrawSettings) -> None:
    """Add to a set what a model of the workspace makes of each of its real crops."""
    from faceswap.detector.data.manifest import read_manifest, write_manifest
    from faceswap.detector.data.redraw import redraw
    from faceswap.merge.predict import load_predictor

    device, there = choose_device(cfg.device), read_manifest(cfg.set_)
    run = cfg.place.model(cfg.model)
    predictor = load_predictor(run, device, choose_dtype(cfg.precision, device))
    new = list(redraw(cfg.set_, there, predictor, cfg.manipulation, run.name))
    write_manifest(
        cfg.set_, ({item.file: item for item in there} | {item.file: item for item in new}).values()
    )
    say(f"{len(new)} faces redrawn as {cfg.manipulation}")


def probe(cfg: ProbeSettings) -> None:
    """Look for shortcuts: can something that is no forgery tell a set's reals from its fakes?"""
    from faceswap.detector.measures.probes import leaking, probe_pairs
    from faceswap.detector.training.fit import EXAM_SEED, Material

    material = Material.open(cfg.set_)
    source = material.source(cfg.split, material.manipulations, PROBED_PX)
    found = probe_pairs(source, cfg.exam_pairs, EXAM_SEED)
    write_json(cfg.set_ / "probes.json", found)
    for kind, probes in found.items():
        say(f"{kind:<10} " + "  ".join(f"{name} {auc:.3f}" for name, auc in probes.items()))
    say("; ".join(leaking(found)) or "no probe tells reals from fakes")
