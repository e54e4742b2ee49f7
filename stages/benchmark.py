"""- benchmark: how fast this machine aligns, trains, merges and judges, and how far that is from its bound

    python -m stages.benchmark --output benchmark.json

Uses bundled input only (the demo's actor set into 720p, 1080p and 4K frames). Nothing else should
run meanwhile: the load found at the start is written beside the figures, and processor time beside the
clock's where a figure is in milliseconds.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import say
from faceswap.io.files import gib, write_json
from faceswap.runtime import DeviceName, choose_device
from faceswap.types import Json


class Settings(StageSettings):
    only: Literal["merge", "preview", "stream", "align", "train", "speed_up", "judge"] | None = option(
        None, "measure only this"
    )
    models: str = option("", "of train, only models with this in their name, such as LIAE or 224")
    seconds: float = option(10.0, "time each figure is measured for", unit="s", ge=0.1, le=600)
    device: DeviceName = option("auto", "where to compute")
    output: Path | None = option(None, "JSON file with machine, versions, commit and all figures")


def main(cfg: Settings) -> None:
    # Libraries take seconds to load; a mistyped word should be told at once.
    from faceswap.benchmark.cases import bench_align, bench_judge
    from faceswap.benchmark.machine import PeakMemory, describe_machine
    from faceswap.benchmark.merging import bench_compositing, bench_preview, bench_stream
    from faceswap.benchmark.training import bench_speed_up, bench_training

    machine = describe_machine()
    device = choose_device(cfg.device)
    say(f"{machine['processor']}, {machine['cores']} cores, load {machine['load_before']}, device {device}")
    cases: dict[str, Callable[[], Json]] = {
        "merge": lambda: bench_compositing(cfg.seconds),
        "preview": lambda: bench_preview(cfg.seconds),
        "stream": lambda: bench_stream(cfg.seconds),
        "align": lambda: bench_align(cfg.seconds, machine["cores"]),
        "train": lambda: bench_training(cfg.seconds, device, cfg.models),
        "speed_up": lambda: bench_speed_up(cfg.seconds, device),
        "judge": lambda: bench_judge(cfg.seconds, device),
    }
    figures: dict[str, Json] = {}
    for name, case in cases.items():
        if cfg.only not in (None, name):
            continue
        with PeakMemory() as memory:
            figures[name] = case()
        figures[name]["peak_memory"] = gib(memory.peak_bytes)
        say(f"\n{name}")
        for key, value in figures[name].items():
            say(f"  {key:<32} {value}")
    if cfg.output is not None:
        write_json(cfg.output, {"machine": machine, "device": str(device), "figures": figures})


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
