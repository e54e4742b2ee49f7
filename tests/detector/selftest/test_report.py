"""The self-test's page, JSON and table."""

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import ValidationError

from faceswap.detector.data.manifest import difference_hash, to_text
from faceswap.detector.network.model import LIMITATIONS
from faceswap.detector.selftest import findings
from faceswap.detector.selftest.report import write_report
from faceswap.detector.selftest.selftest import SelfTest
from tests.detector.toy_comparison import CARD, Toys, run


class Tags(HTMLParser):
    """Collects what a page would load, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def tags_of(page: Path) -> Tags:
    tags = Tags()
    tags.feed(page.read_text(encoding="utf-8"))
    return tags


def test_the_page_stands_alone_and_says_its_limits(tested: SelfTest, tmp_path: Path) -> None:
    page = write_report(tmp_path / "selftest", "job", tested)
    tags = tags_of(page)
    assert tags.loaded
    assert all(source.startswith("data:image/") for source in tags.loaded)
    assert not {"script", "iframe", "link"} & set(tags.tags)
    assert "url(" not in page.read_text(encoding="utf-8")
    assert all(line in tags.text for line in LIMITATIONS)
    assert "noise (ours)" in tags.text
    assert tested.report.verdict.sentence in tags.text
    assert "Not asked for" in tags.text
    assert "CONTAMINATED" not in tags.text


def test_a_detector_that_has_seen_the_frames_is_stamped(tmp_path: Path) -> None:
    toys = Toys(8)
    looks = to_text(difference_hash(pair.real) for seen in toys.seen() for pair in seen.pairs)
    tested = run(toys, replace(CARD, looks=looks))
    assert tested.report.contamination.contaminated
    page = write_report(tmp_path / "selftest", "job", tested)
    assert "CONTAMINATED" in tags_of(page).text
    assert "8 of 8 untouched faces" in tags_of(page).text


def test_names_from_files_cannot_write_into_the_page(tmp_path: Path) -> None:
    card = replace(CARD, training={"data": {"<script>": "<i>"}})
    evil = run(Toys(9, "<script>{}</script>"), card)
    page = write_report(tmp_path / "selftest", "<b>job</b>", evil)
    assert "script" not in tags_of(page).tags
    assert "<script>" not in page.read_text(encoding="utf-8")
    assert "<b>job" not in page.read_text(encoding="utf-8")


def test_json_and_table_hold_what_the_page_shows(tested: SelfTest, tmp_path: Path) -> None:
    folder = write_report(tmp_path / "selftest", "job", tested).parent
    text = (folder / "report.json").read_text(encoding="utf-8")
    assert findings.from_json(text) == tested.report
    # JSON has no NaN; a reader that is not Python would fail on it.
    assert json.loads(text, parse_constant=pytest.fail)["limitations"][:-1] == list(LIMITATIONS)
    table = list(csv.DictReader(io.StringIO((folder / "frames.csv").read_text(encoding="utf-8"))))
    assert len(table) == 40
    row = tested.timeline.rows[3]
    assert float(table[3]["finished"]) == pytest.approx(row.fake, abs=1e-6)
    assert (table[3]["frame"], float(table[3]["seam"])) == (row.frame, pytest.approx(row.seam, abs=1e-4))


def test_a_report_that_lacks_something_does_not_fit_the_schema(tested: SelfTest, tmp_path: Path) -> None:
    folder = write_report(tmp_path / "selftest", "job", tested).parent
    schema = json.loads((folder / "report.schema.json").read_text(encoding="utf-8"))
    whole = findings.to_json(tested.report)
    assert set(schema["required"]) == set(whole)
    for name in whole:
        with pytest.raises(ValidationError):
            findings.from_json(json.dumps({key: value for key, value in whole.items() if key != name}))
