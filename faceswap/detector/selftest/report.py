"""What a self-test found, as a page for people, JSON for programs and a table of frames."""

import csv
import io
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from faceswap.detector.network.files import Card, name_of
from faceswap.detector.selftest import drawings, findings
from faceswap.detector.selftest.findings import About, Exam
from faceswap.detector.selftest.selftest import SelfTest
from faceswap.detector.selftest.timeline import Timeline, stretch_frames
from faceswap.io.files import write_bytes, write_json

_BOX, _MEASURES = ("left", "top", "right", "bottom"), ("detail", "turn", "seam")
_COLUMNS = ("frame", "face", "untouched", "finished", *_BOX, *_MEASURES)


def write_report(folder: Path, title: str, test: SelfTest) -> Path:
    """Write report.html, report.json, its schema and frames.csv to `folder`; returns the page's path."""
    write_json(folder / "report.schema.json", findings.schema())
    write_json(folder / "report.json", findings.to_json(test.report))
    write_bytes(folder / "frames.csv", frames_table(test.timeline).encode())
    write_bytes(folder / "report.html", page(title, test).encode())
    return folder / "report.html"


def about(folder: Path, card: Card, weights_sha256: str) -> About:
    """What a report says of the detector in `folder`."""
    names = ("auc", "calibration_error", "brier", "reals", "fakes")
    tables = {split: card.figures.get(split, {}).get("all") for split in ("val", "test")}
    exams = (Exam(split, **{name: table[name] for name in names}) for split, table in tables.items() if table)
    return About(
        name=name_of(folder),
        sha256=weights_sha256,
        data=tuple(sorted(f"{name} ({terms})" for name, terms in card.training.get("data", {}).items())),
        manifest=card.training.get("manifest", ""),
        pictures=card.training.get("pictures", 0),
        temperature=card.temperature,
        thresholds=card.thresholds,
        exams=tuple(exams),
        hardened="hardened" in card.training,
    )


def frames_table(found: Timeline) -> str:
    """A line a face, by the names of _COLUMNS: P(fake), box in px, and see timeline.Row."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for row in found.rows:
        scores, box = (f"{row.real:.6f}", f"{row.fake:.6f}"), (f"{x:.1f}" for x in row.box)
        measures = (f"{getattr(row, name):.4f}" for name in _MEASURES)
        table.writerow([row.frame, row.face, *scores, *box, *measures])
    return text.getvalue()


def page(title: str, test: SelfTest) -> str:
    """The page: one file without scripts that loads nothing."""
    report, found = test.report, test.timeline
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    most, least = found.extremes()
    return environment.get_template("report.html.j2").render(
        title=title,
        r=report,
        cells={name: list(cells) for name, cells in groupby(report.grid, key=lambda cell: cell.name)},
        stretch=stretch_frames(len(found.frames)),
        charts=drawings.charts(report, found),
        frames=drawings.frames(found, report.headline.threshold),
        faces={"most": drawings.faces(found, most), "least": drawings.faces(found, least)},
        maps_picture=drawings.maps(found.kept, test.maps),
        map_names=list(test.maps),
        kept=len(found.kept),
    )
