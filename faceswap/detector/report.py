"""What a self-test found, as a page for people, JSON for programs and a table of frames."""

import base64
import csv
import io
from collections.abc import Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from faceswap import __version__
from faceswap.detector.files import Card
from faceswap.detector.judge import fit
from faceswap.detector.selftest import SHOWN, SelfTest, stretch_frames, verdict_in_words
from faceswap.io.files import write_bytes, write_json
from faceswap.io.images import encode_image
from faceswap.types import Json

SCHEMA = 1
TILE_PX = 112
LIMITATIONS = (
    "This is no evidence against anyone: a score is one small network's guess about pictures, and it errs.",
    "The detector knows the forgeries it was trained on. On others it is weaker, on some blind.",
    "A low score does not mean that a swap is undetectable: stronger detectors exist, and will exist.",
    "Its errors by skin tone, age and gender have not been measured.",
    "It judges finished work. No setting, checkpoint or merge is chosen by its scores.",
)


def write_report(folder: Path, test: SelfTest, detector: Json, card: Card, promised_fpr: float) -> Path:
    """Write report.html, report.json and frames.csv to `folder`; returns the page's path.

    detector: its name and SHA-256 and what is known of it (see `about`).
    """
    title = folder.parent.name
    facts = to_json(test, detector, promised_fpr)
    write_json(folder / "report.json", facts)
    write_bytes(folder / "frames.csv", frames_table(test).encode())
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    cells = {name: list(group) for name, group in groupby(test.grid, key=lambda cell: cell["name"])}
    page = environment.get_template("report.html.j2").render(
        facts
        | {
            "title": title,
            "grid": cells,
            "segment": stretch_frames(len(test.rows)),
            "timeline": _curves(
                {"fake": [r.fake for r in test.rows], "real": [r.real for r in test.rows]}, 0, 1
            ),
            "spectra": _curves(test.spectra, *_range(test.spectra)),
            "faces": _faces(test),
            "maps_picture": _data_url(_maps(test)),
        }
    )
    write_bytes(folder / "report.html", page.encode())
    return folder / "report.html"


def about(folder: Path, card: Card, weights_sha256: str) -> Json:
    """What a report says of its detector."""
    exam = card.figures.get("test", {}).get("all", {})
    return {
        "name": folder.name,
        "sha256": weights_sha256,
        "data": sorted({f"{name} ({terms})" for name, terms in card.training.get("data", {}).items()}),
        "manifest": card.training.get("manifest", ""),
        "ece": exam.get("calibration_error"),
        "auc": exam.get("auc"),
    }


def to_json(test: SelfTest, detector: Json, promised_fpr: float, contaminated: int = 0) -> Json:
    """The report as plain JSON; `schema` grows when a key changes its meaning."""
    return {
        "schema": SCHEMA,
        "date": date.today().isoformat(),
        "version": __version__,
        "detector": detector,
        "verdict": verdict_in_words(test, promised_fpr),
        "headline": test.headline,
        "contaminated": contaminated,
        "grid": test.grid,
        "controls": test.controls,
        "explanations": test.explanations,
        "spectra": test.spectra,
        "limitations": list(LIMITATIONS),
    }


def frames_table(test: SelfTest) -> str:
    """One line a face: frame, face, P(fake) untouched and finished, box in px."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["frame", "face", "untouched", "finished", "left", "top", "right", "bottom"])
    for row in test.rows:
        table.writerow(
            [row.frame, row.face, f"{row.real:.6f}", f"{row.fake:.6f}", *(f"{x:.1f}" for x in row.box)]
        )
    return text.getvalue()


def _faces(test: SelfTest) -> dict[str, list[dict[str, Any]]]:
    scores = {(row.frame, row.face): row.fake for row in test.rows}
    ranked = sorted(test.kept, key=lambda pair: -scores[pair.frame, pair.face])
    chosen = {"most": ranked[:SHOWN], "least": ranked[-SHOWN:][::-1]}
    return {
        name: [
            {"frame": p.frame, "score": scores[p.frame, p.face], "picture": _data_url(fit(p.fake, TILE_PX))}
            for p in pairs
        ]
        for name, pairs in chosen.items()
    }


def _maps(test: SelfTest) -> NDArray[np.uint8]:
    """Rows of: swapped face, its mask, and every map over it."""
    rows = []
    for index in np.linspace(0, len(test.kept) - 1, min(4, len(test.kept))).astype(int):
        pair = test.kept[index]
        face = fit(pair.fake, TILE_PX)
        heats = [
            cv2.resize(pair.mask, (TILE_PX, TILE_PX)),
            *(_enlarged(h[index]) for h in test.maps.values()),
        ]
        rows.append(np.concatenate([face, *(_overlaid(face, heat) for heat in heats)], axis=1))
    return np.concatenate(rows)


def _enlarged(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(heat, (TILE_PX, TILE_PX), interpolation=cv2.INTER_NEAREST), np.float32)


def _overlaid(face: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    grey = face.mean(axis=2, keepdims=True).repeat(3, axis=2)
    glow = np.clip(heat, 0, 1)[..., None] * 0.75
    return np.asarray(grey * (1 - glow) + np.array([255, 120, 20]) * glow, np.uint8)


def _data_url(picture: NDArray[np.uint8]) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_image(".jpg", picture, 88)).decode()


def _range(curves: dict[str, list[float]]) -> tuple[float, float]:
    values = [value for curve in curves.values() for value in curve]
    return min(values), max(values)


def _curves(curves: dict[str, list[float]], low: float, high: float) -> Markup:
    """Curves over one axis as SVG, 900 × 180; long ones are thinned to their means."""
    width, height = 900, 180
    lines = []
    for name, values in curves.items():
        thin = _thinned(values, 450)
        xs = np.linspace(30, width - 5, max(2, len(thin)))
        ys = height - 20 - (np.array(thin) - low) / max(high - low, 1e-9) * (height - 30)
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=False))
        lines.append(f'<polyline points="{points}" fill="none" stroke="var(--{name})" stroke-width="1.6"/>')
    ticks = "".join(
        f'<text x="0" y="{height - 16 - share * (height - 30):.0f}">{low + share * (high - low):.1f}</text>'
        for share in (0, 0.5, 1)
    )
    axis = f'<path d="M30 {height - 20}H{width - 5}" stroke="var(--line)"/>'
    return Markup(f'<svg viewBox="0 0 {width} {height}" role="img">{axis}{ticks}{"".join(lines)}</svg>')


def _thinned(values: Sequence[float], most: int) -> list[float]:
    parts = np.array_split(np.asarray(values, np.float64), min(most, len(values)))
    return [float(part.mean()) for part in parts]
