"""The curves of a run, arranged one below the other, and the figures as a person reads them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from faceswap.train.watch.curves import Curve
from faceswap.train.watch.folder import Report

# What is better tells which of the values was the best.
_QUALITY = (
    ("PSNR of held-back dst, dB", ("psnr",), max),
    ("SSIM of held-back dst", ("ssim",), max),
    ("landmarks off, of the eyes' distance", ("landmarks",), min),
    ("likeness of the swap to", ("identity_src", "identity_dst"), None),
)
FIGURES = ("iteration", "loss src", "loss dst", "an iteration", "waiting for faces", "SSIM", "last save")
_SIDES = ("src", "dst")
_TIMES = {"ms": "", "wait_ms": "waiting for faces"}


@dataclass(frozen=True)
class Panel:
    """Curves on one scale, by name. weight: share of the height. best: of the first, None where none is.

    smooths: whether means are shown, of values that come with every iteration.
    """

    title: str
    curves: Mapping[str, Curve]
    weight: int = 1
    best: float | None = None
    smooths: bool = True


def panels(report: Report) -> list[Panel]:
    """The losses first, then how good the model is, further terms of the loss, and the speed."""
    known = {name: curve for name, curve in report.curves.items() if len(curve.at)}
    losses = {side: known[side] for side in _SIDES if side in known}
    made = [Panel("loss", losses, weight=3)] if losses else []
    made += _quality({name: curve for name, curve in report.quality.items() if len(curve.at)})
    made += _further({name: known[name] for name in known if name not in (*_SIDES, *_TIMES)})
    times = {label: known[name] for name, label in _TIMES.items() if name in known}
    return [*made, Panel("ms an iteration", times)] if times else made


def _quality(known: Mapping[str, Curve]) -> Iterator[Panel]:
    for title, names, better in _QUALITY:
        there = {
            name.removeprefix("identity_") if len(names) > 1 else "": known[name]
            for name in names
            if name in known
        }
        if there:
            best = float(better(known[names[0]].mean)) if better else None
            yield Panel(title, there, best=best, smooths=False)


def _further(known: Mapping[str, Curve]) -> Iterator[Panel]:
    """Terms that both sides have share a scale."""
    terms = dict.fromkeys(name.removesuffix("_src").removesuffix("_dst") for name in known)
    for term in terms:
        sides = {side: known[f"{term}_{side}"] for side in _SIDES if f"{term}_{side}" in known}
        yield Panel(term.replace("_", " "), sides or {"": known[term]})


def figures(report: Report) -> dict[str, str]:
    """What is known of FIGURES, to be read."""
    recent, ssim = report.recent, report.quality.get("ssim")
    ms = recent.get("ms", 0.0)
    told = {"iteration": f"{report.iteration:,}"} if report.iteration else {}
    told |= {f"loss {side}": f"{recent[side]:.4f}" for side in _SIDES if side in recent}
    if ms > 0:
        told["an iteration"] = f"{ms:,.0f} ms · {1000 / ms:.3g}/s"
        if "wait_ms" in recent:
            told["waiting for faces"] = f"{recent['wait_ms'] / ms:.0%}"
    if ssim is not None and len(ssim.mean):
        told["SSIM"] = f"{ssim.mean[-1]:.4f}"
    if report.saved_ago_s is not None:
        told["last save"] = f"{ago(report.saved_ago_s)} ago"
    return told


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most so many round numbers from `low` to `high`, evenly spaced by 1, 2 or 5 times a power of ten."""
    rough = (high - low) / max(1, most)
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * 0.999)
    return [
        float(number * step) for number in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)
    ]


def short(value: float) -> str:
    """Four significant digits, thousands as k and M: a label must be read at a glance."""
    for least, scale, unit in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least:
            return f"{value / scale:.4g}{unit}"
    return f"{value:.4g}"


def ago(seconds: float) -> str:
    """A duration as people say it."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            count = seconds / length
            return f"{count:.1f} {unit}" if count < 10 and unit != "min" else f"{count:.0f} {unit}"
    return f"{seconds:.0f} s"
