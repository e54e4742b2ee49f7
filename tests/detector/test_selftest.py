"""The self-test's figures and its report."""

import csv
import io
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from faceswap.detector.degrade import GRID
from faceswap.detector.files import Card
from faceswap.detector.judge import Judge
from faceswap.detector.model import DetectorSpec, build
from faceswap.detector.pairs import Pair
from faceswap.detector.report import LIMITATIONS, frames_table, write_report
from faceswap.detector.selftest import (
    KEPT,
    Row,
    SelfTest,
    controls,
    headline,
    run_selftest,
    spectrum,
    verdict_in_words,
)

SPEC = DetectorSpec(input_px=32, patch_px=8, hidden=24, layers=2, heads=3)


def pairs(count: int, name: str = "{:05d}") -> Iterator[Pair]:
    """Noise faces whose middle is replaced by smooth colour."""
    for index in range(count):
        rng = np.random.default_rng(index)
        real = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
        fake, mask = real.copy(), np.zeros((64, 64), np.float32)
        fake[16:48, 16:48], mask[16:48, 16:48] = 127, 1
        yield Pair(name.format(index), 0, real, fake, mask, rng.uniform(10, 50, (68, 2)).astype(np.float32))


@pytest.fixture(scope="module")
def test() -> SelfTest:
    return run_selftest(pairs(40), 40, Judge(build(SPEC, 1)), threshold=0.5)


def test_every_face_has_a_row_and_what_needs_pixels_is_bounded(test: SelfTest) -> None:
    assert [row.frame for row in test.rows] == [f"{index:05d}" for index in range(40)]
    assert len(test.kept) == 40
    longer = run_selftest(pairs(KEPT + 36), KEPT + 36, Judge(build(SPEC, 1)), 0.5)
    assert len(longer.rows) == KEPT + 36
    assert len(longer.kept) == KEPT


def test_the_grid_has_every_degradation_at_five_levels(test: SelfTest) -> None:
    assert {(cell["name"], cell["level"]) for cell in test.grid} == {
        (name, level) for name, levels in GRID.items() for level in levels
    }
    assert all(0 <= cell["auc"] <= 1 for cell in test.grid)


def test_a_perfect_detector_and_a_blind_one_get_the_figures_they_deserve() -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    perfect = headline([Row(str(n), 0, 0.1, 0.9, box) for n in range(64)], threshold=0.5)
    assert (perfect["auc"], perfect["tpr"], perfect["fpr"]) == (1.0, 1.0, 0.0)
    blind = headline([Row(str(n), 0, 0.3, 0.3, box) for n in range(64)], threshold=0.5)
    assert (blind["auc"], blind["tpr"], blind["fpr"]) == (0.5, 0.0, 0.0)
    assert perfect["clip_score"] == pytest.approx(0.9)


def test_a_clip_of_three_frames_has_no_interval_and_no_clip_score() -> None:
    rows = [Row(str(n), 0, 0.1, 0.9, (0.0, 0.0, 1.0, 1.0)) for n in range(3)]
    found = headline(rows, threshold=0.5)
    assert found["interval"] is None
    assert found["clip_score"] is None


@pytest.mark.parametrize(
    ("low", "words"), [(0.95, "with confidence"), (0.7, "Partly"), (0.5, "no evidence of authenticity")]
)
def test_the_verdict_follows_the_lower_end_of_the_interval(low: float, words: str) -> None:
    span = {"low": low, "high": 0.99}
    test = SelfTest(headline={"auc": 0.97, "interval": span, "tpr": 0.8, "fpr": 0.04})
    assert words in verdict_in_words(test, 0.05)


def test_controls_of_scores_that_know_nothing_contain_one_half() -> None:
    scores = np.random.default_rng(5).random((320, 2))
    box = (0.0, 0.0, 1.0, 1.0)
    rows = [Row(str(n), 0, float(real), float(fake), box) for n, (real, fake) in enumerate(scores)]
    found = controls(SelfTest(rows=rows, kept=list(pairs(4))), Judge(build(SPEC, 1)))
    assert set(found) == {"real_against_real", "null_fake", "shuffled_labels"}
    for name in ("real_against_real", "shuffled_labels"):
        assert found[name]["low"] <= 0.5 <= found[name]["high"], name


def test_a_detector_of_scenes_fails_the_control_of_real_against_real() -> None:
    # A planted leak: every second stretch of the untouched clip is lit in another way, and gets other scores.
    box = (0.0, 0.0, 1.0, 1.0)
    rows = [Row(str(n), 0, 0.2 + 0.5 * (n // 16 % 2) + 1e-4 * (n % 7), 0.9, box) for n in range(320)]
    found = controls(SelfTest(rows=rows, kept=list(pairs(4))), Judge(build(SPEC, 1)))
    assert found["real_against_real"]["low"] > 0.5


def test_the_spectrum_of_a_wave_peaks_at_its_frequency() -> None:
    wave = 127 + 100 * np.sin(2 * np.pi * 10 * np.arange(64) / 64)
    crop = np.repeat(np.repeat(wave[None, :, None], 64, axis=0), 3, axis=2).astype(np.uint8)
    assert int(spectrum([crop]).argmax()) == 10


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


def test_the_page_stands_alone_and_says_its_limits(test: SelfTest, tmp_path: Path) -> None:
    page = write_report(tmp_path / "job" / "selftest", test, detector(), Card(), 0.05)
    tags = Tags()
    tags.feed(page.read_text(encoding="utf-8"))
    assert tags.loaded
    assert all(source.startswith("data:image/") for source in tags.loaded)
    assert not {"script", "iframe", "link"} & set(tags.tags)
    assert all(line in tags.text for line in LIMITATIONS)
    assert verdict_in_words(test, 0.05) in tags.text


def test_names_from_files_cannot_write_into_the_page(test: SelfTest, tmp_path: Path) -> None:
    evil = run_selftest(pairs(9, "<script>{}</script>"), 9, Judge(build(SPEC, 1)), 0.5)
    page = write_report(tmp_path / "<b>job</b>" / "selftest", evil, detector(), Card(), 0.05)
    assert "script" not in tags_of(page)
    assert "<script>" not in page.read_text(encoding="utf-8")
    assert "<b>job" not in page.read_text(encoding="utf-8")


def test_json_and_table_hold_what_the_page_shows(test: SelfTest, tmp_path: Path) -> None:
    folder = write_report(tmp_path / "job" / "selftest", test, detector(), Card(), 0.05).parent
    found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert found["headline"] == json.loads(json.dumps(test.headline))
    assert found["limitations"] == list(LIMITATIONS)
    table = list(csv.DictReader(io.StringIO((folder / "frames.csv").read_text(encoding="utf-8"))))
    assert len(table) == 40
    assert float(table[3]["finished"]) == pytest.approx(test.rows[3].fake, abs=1e-6)
    assert frames_table(test).count("\n") == 41


def detector() -> dict[str, object]:
    return {
        "name": "toy",
        "sha256": "0" * 64,
        "data": ["noise (ours)"],
        "manifest": "",
        "ece": None,
        "auc": 0.5,
    }


def tags_of(page: Path) -> list[str]:
    tags = Tags()
    tags.feed(page.read_text(encoding="utf-8"))
    return tags.tags
