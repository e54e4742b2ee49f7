"""The self-test's figures and its report."""

import ast
import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from faceswap.config import StageSettings
from faceswap.detector import analyses, findings
from faceswap.detector.charts import Chart
from faceswap.detector.degrade import GRID
from faceswap.detector.duplicates import difference_hash, to_text
from faceswap.detector.files import Card, save_detector
from faceswap.detector.findings import Contamination, Figure, Headline
from faceswap.detector.judge import Judge
from faceswap.detector.limits import LIMITATIONS
from faceswap.detector.metrics import video_score
from faceswap.detector.model import VitDetector, build
from faceswap.detector.pairs import Pair, Seen
from faceswap.detector.report import about, write_report
from faceswap.detector.selftest import (
    SelfTest,
    clip_score,
    goes_with,
    headline,
    run_selftest,
    verdict,
)
from faceswap.detector.timeline import KEPT, Row, Timeline, judge_frames, seam, stretch_frames
from faceswap.errors import UserError
from faceswap.types import Side
from stages import selftest as stage
from tests.detector.conftest import SPEC
from tests.detector.toy_workspace import encode_folder, toy_workspace

REPOSITORY = Path(__file__).parent.parent.parent
CARD = Card(thresholds={"0.05": 0.5}, training={"data": {"noise": "ours"}, "pictures": 7})
BOX = (0.0, 0.0, 1.0, 1.0)
CLEAN = Contamination(True, 0, 0.0, 10, False)


def make_pair(name: str, seed: int, face: int = 0) -> Pair:
    """A noise face whose middle is replaced by smooth colour."""
    rng = np.random.default_rng(seed)
    real = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    fake, mask = real.copy(), np.zeros((64, 64), np.float32)
    fake[16:48, 16:48], mask[16:48, 16:48] = 127, 1
    return Pair(name, face, real, fake, mask, rng.uniform(10, 50, (68, 2)).astype(np.float32))


@dataclass
class Toys:
    """A comparison of so many frames; faces: how many each has, damaged: those that cannot be read."""

    frames: int
    name: str = "{:05d}"
    faces: Callable[[int], int] = lambda _: 1
    damaged: Sequence[int] = ()

    def seen(self, every: int = 1) -> Iterator[Seen]:
        for index in range(0, self.frames, every):
            name = self.name.format(index)
            pairs = [make_pair(name, 1000 * face + index, face) for face in range(self.faces(index))]
            small = np.zeros((36, 64, 3), np.uint8)
            yield (
                Seen(name, [], "it is cut short") if index in self.damaged else Seen(name, pairs, "", small)
            )

    def count(self, every: int = 1) -> tuple[int, int]:
        taken = range(0, self.frames, every)
        return len(taken), sum(self.faces(index) for index in taken)

    def describe(self) -> dict[str, object]:
        return {"kind": "frames", "untouched": self.frames, "finished": self.frames}


def judge() -> Judge:
    return Judge(build(SPEC, 1))


def run(toys: Toys, card: Card = CARD, every: int = 1) -> SelfTest:
    return run_selftest(toys, judge(), card, about(Path("toy"), card, "0" * 64), every)


def timeline(real: Sequence[float], fake: Sequence[float]) -> Timeline:
    """One face a frame with these scores."""
    rows = [
        Row(str(n), n, 0, one, other, BOX, 1, 0, 0)
        for n, (one, other) in enumerate(zip(real, fake, strict=True))
    ]
    return Timeline([row.frame for row in rows], rows)


def figure(value: float, low: float | None = None, high: float | None = None) -> Figure:
    return Figure(value, low, high, 9)


def head_of(auc: Figure, usable: int = 100) -> Headline:
    score = replace(clip_score(np.full(usable, 0.7)), usable=usable)
    return Headline(auc, figure(0.8, 0.7, 0.9), figure(0.04, 0.0, 0.1), 0.5, 0.05, score, score)


@pytest.fixture(scope="module")
def test() -> SelfTest:
    return run(Toys(40))


def test_every_face_has_a_row_and_what_needs_pixels_is_bounded_and_spread() -> None:
    found = judge_frames(Toys(KEPT + 36), judge())
    assert [row.frame for row in found.rows] == [f"{index:05d}" for index in range(KEPT + 36)]
    kept = [int(pair.frame) for pair in found.kept]
    assert len(kept) == KEPT
    # 100 frames, 64 kept: no gap of more than two, from end to end.
    assert np.diff([-1, *kept, 100]).max() <= 2


def test_scores_do_not_depend_on_how_faces_fall_into_batches() -> None:
    toys = Toys(9, faces=lambda index: (index % 4) * 11)
    found = judge_frames(toys, judge())
    singly = {(pair.frame, pair.face): pair for seen in toys.seen() for pair in seen.pairs}
    assert len(found.rows) == len(singly) == sum((index % 4) * 11 for index in range(9))
    for row in found.rows[::7]:
        pair = singly[row.frame, row.face]
        real, fake = judge()([pair.real, pair.fake])
        assert (row.real, row.fake) == pytest.approx((real.score, fake.score), abs=1e-5)


def test_frames_without_a_face_and_damaged_ones_are_counted_and_leave_gaps() -> None:
    test = run(Toys(30, faces=lambda index: index % 2, damaged=(3, 5)))
    compared = test.report.compared
    assert (compared.compared, compared.faces, compared.without_face) == (30, 13, 15)
    assert len(compared.damaged) == 2
    gaps = np.isnan(test.timeline.scores("fake"))
    assert gaps[[0, 2, 3, 5]].all() and not gaps[[1, 7]].any()
    assert (test.report.headline.finished.usable, test.report.headline.finished.lost) == (13, 17)


def test_a_frame_counts_by_its_most_suspicious_face_and_every_face_is_scored() -> None:
    rows = [Row("a", 0, face, 0.1, fake, BOX, 1, 0, 0) for face, fake in enumerate((0.2, 0.9, 0.4))]
    found = Timeline(["a", "b"], rows)
    assert found.scores("fake").tolist()[0] == 0.9
    assert np.isnan(found.scores("fake")[1])
    assert len(judge_frames(Toys(3, faces=lambda _: 2), judge()).rows) == 6


def test_the_extremes_are_the_best_and_worst_of_different_parts_of_the_clip() -> None:
    found = judge_frames(Toys(64), judge())
    most, least = found.extremes()
    scores = {row.frame: row.fake for row in found.rows}
    assert scores[most[0].frame] == max(scores.values())
    assert scores[least[0].frame] == min(scores.values())
    for pairs in (most, least):
        # 64 frames in 16 parts.
        assert len({int(pair.frame) // 4 for pair in pairs}) == len(pairs) == 8


def test_no_face_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="no face could be compared"):
        run(Toys(4, faces=lambda _: 0))
    with pytest.raises(UserError, match="no face could be compared"):
        run(Toys(2, damaged=(0, 1)))


def test_the_grid_has_every_degradation_at_five_levels(test: SelfTest) -> None:
    assert {(cell.name, cell.level) for cell in test.report.grid} == {
        (name, level) for name, levels in GRID.items() for level in levels
    }


def test_a_perfect_detector_and_a_blind_one_get_the_figures_they_deserve() -> None:
    perfect = headline(timeline([0.1] * 64, [0.9] * 64), threshold=0.5)
    assert (perfect.auc.value, perfect.tpr.value, perfect.fpr.value) == (1.0, 1.0, 0.0)
    assert perfect.finished.mean == pytest.approx(0.9)
    blind = headline(timeline([0.3] * 64, [0.3] * 64), threshold=0.5)
    assert (blind.auc.value, blind.tpr.value, blind.fpr.value) == (0.5, 0.0, 0.0)


def test_intervals_rest_on_stretches_not_on_frames() -> None:
    # Every stretch of 16 frames holds one score: 128 faces, but only 8 independent ones.
    alike = np.repeat(np.random.default_rng(0).random((8, 2)), 16, axis=0)
    alone = np.random.default_rng(1).random((128, 2))
    wide, narrow = (headline(timeline(*scores.T), 0.5).auc for scores in (alike, alone))
    assert wide.stretches == narrow.stretches == 128 // stretch_frames(128)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_clip_of_three_frames_has_no_interval_no_clip_score_and_no_verdict() -> None:
    test = run(Toys(3))
    head = test.report.headline
    assert (head.auc.low, head.auc.high) == (None, None)
    assert (head.finished.mean, head.finished.segment_mean) == (None, None)
    assert test.report.verdict.word == "undetermined"
    assert test.report.controls["real against real"] is None


def test_segments_of_sixteen_frames_are_averaged_as_by_hand() -> None:
    scores = np.r_[np.full(16, 0.8), np.full(16, np.nan), np.full(8, 0.2), [np.nan, 0.5]]
    found = clip_score(scores)
    # The last, shorter segment counts as one; the one without a face is left out.
    last = (8 * 0.2 + 0.5) / 9
    assert found.segments == (pytest.approx(0.8), None, pytest.approx(last))
    assert found.segment_mean == pytest.approx((0.8 + last) / 2)
    whole = video_score(scores)
    assert whole is not None
    assert (found.mean, found.segment_mean) == (whole.mean, whole.segments)


@pytest.mark.parametrize(
    ("auc", "word"),
    [
        (figure(0.97, 0.95, 0.99), "detected"),
        (figure(0.97, 0.7, 0.99), "partly detected"),
        (figure(0.97, 0.5, 0.99), "not reliably detected"),
        (figure(0.3, 0.2, 0.4), "not reliably detected"),
    ],
)
def test_the_verdict_follows_the_lower_end_of_the_interval(auc: Figure, word: str) -> None:
    found = verdict(head_of(auc), CLEAN)
    assert found.word == word
    assert f"({100 * auc.low:.0f} to {100 * auc.high:.0f})" in found.sentence
    assert ("no evidence of authenticity" in found.sentence) == (word == "not reliably detected")


def test_contamination_outweighs_every_other_verdict() -> None:
    seen = Contamination(True, 30, 0.3, 10, True)
    assert verdict(head_of(figure(0.97, 0.95, 0.99)), seen).word == "contaminated"
    assert verdict(head_of(figure(0.97), usable=3), seen).word == "contaminated"


@pytest.mark.parametrize(("known", "stamped"), [(0, False), (2, False), (3, True), (40, True)])
def test_more_than_a_twentieth_of_known_faces_is_contamination(known: int, stamped: bool) -> None:
    crops = [make_pair("", seed).real for seed in range(41)]
    hashes = np.stack([difference_hash(crop) for crop in crops])
    found = analyses.contamination(hashes[:40], to_text([*hashes[:known], hashes[40]]))
    assert found == Contamination(True, known, known / 40, 10, stamped)


def test_a_detector_that_has_seen_the_frames_is_stamped(tmp_path: Path) -> None:
    toys = Toys(8)
    looks = to_text(difference_hash(pair.real) for seen in toys.seen() for pair in seen.pairs)
    test = run(toys, replace(CARD, looks=looks))
    assert test.report.contamination.contaminated
    page = write_report(tmp_path / "selftest", "job", test)
    assert "CONTAMINATED" in tags_of(page).text
    assert "8 of 8 untouched faces" in tags_of(page).text


def test_a_card_that_does_not_tell_what_was_learnt_from_is_not_taken_for_clean(test: SelfTest) -> None:
    assert not test.report.contamination.known
    assert not test.report.contamination.contaminated


def test_controls_of_scores_that_know_nothing_contain_one_half() -> None:
    scores = np.random.default_rng(5).random(640)
    labels, stretches = np.tile([0, 1], 320), np.repeat(np.arange(320) // 16, 2)
    kept = [make_pair(str(index), index) for index in range(4)]
    found = analyses.controls(scores, labels, stretches, kept, np.arange(4), judge())
    assert set(found) == {"real against real", "null fake", "shuffled labels"}
    for name in ("real against real", "shuffled labels"):
        assert found[name].is_chance, name


@pytest.mark.parametrize(
    ("low", "high", "chance"),
    [(0.4, 0.6, True), (0.3, 0.46, True), (0.3, 0.44, False), (0.54, 0.7, True), (0.56, 0.7, False)],
)
def test_a_control_passes_while_its_interval_reaches_chance(low: float, high: float, chance: bool) -> None:
    assert figure((low + high) / 2, low, high).is_chance is chance
    assert figure(0.5).is_chance is None


def test_a_detector_of_scenes_fails_the_control_of_real_against_real() -> None:
    # A planted leak: every second stretch of the untouched clip is lit in another way, and gets other scores.
    stretches = np.arange(320) // 16
    scores = np.column_stack([0.2 + 0.5 * (stretches % 2) + 1e-4 * (np.arange(320) % 7), np.full(320, 0.9)])
    kept = [make_pair("0", 0)]
    found = analyses.controls(
        scores.reshape(-1), np.tile([0, 1], 320), np.repeat(stretches, 2), kept, np.zeros(1, int), judge()
    )
    assert found["real against real"].is_chance is False
    assert found["real against real"].value > 0.9


def test_the_spectrum_of_a_wave_peaks_at_its_frequency() -> None:
    wave = 127 + 100 * np.sin(2 * np.pi * 10 * np.arange(64) / 64)
    crop = np.repeat(np.repeat(wave[None, :, None], 64, axis=0), 3, axis=2).astype(np.uint8)
    assert int(analyses.spectrum(crop).argmax()) == 10


def test_calibration_of_scores_that_mean_what_they_say_and_of_overconfident_ones() -> None:
    # Logits of ±2 that are right in 88.08 % of cases, as P = σ(2) says; then the same, twice as sure.
    share = 1 / (1 + np.exp(-2))
    right = np.arange(1000) < 1000 * share
    # A pair each: the untouched face gets the opposite of the finished one.
    fake = np.where(right, 2.0, -2.0)
    margins = np.column_stack([-fake, fake])
    head = head_of(figure(0.9))
    honest = analyses.trust(margins.tolist(), 1.0, head)
    assert honest.calibration_error < 0.001
    assert honest.brier == pytest.approx(share * (1 - share), abs=0.001)
    sure = analyses.trust((2 * margins).tolist(), 2.0, head)
    assert sure.calibration_error == pytest.approx(honest.calibration_error)
    assert sure.calibration_error_plain == pytest.approx(1 / (1 + np.exp(-4)) - share, abs=0.001)
    assert sum(sure.counts) == 2000
    # Bayes by hand at a prior of one half: 0.8 / (0.8 + 0.05), the promised rate being above the clip's.
    assert sure.worth["0.5"] == pytest.approx(0.8 / 0.85)


def test_a_hard_seam_is_steeper_than_a_soft_one_and_an_untouched_face_has_none() -> None:
    pair = make_pair("0", 0)
    grey = np.full_like(pair.real, 100)
    hard = pair._replace(real=grey, fake=np.where(pair.mask[..., None] > 0, np.uint8(160), grey))
    # A ramp of 60 levels over 30 px, the mask with it.
    ramp = np.clip((np.arange(64) - 17) / 30, 0, 1).astype(np.float32)
    mask = np.repeat(ramp[None], 64, axis=0)
    soft = pair._replace(real=grey, fake=(grey + 60 * mask[..., None]).astype(np.uint8), mask=mask)
    assert seam(hard) > 5 * seam(soft) > 0
    assert seam(soft) == pytest.approx(60 / 30, rel=0.15)
    assert seam(hard._replace(fake=grey)) == 0
    assert seam(hard._replace(mask=np.zeros_like(mask))) == 0


def test_what_rises_with_the_score_goes_with_it() -> None:
    rows = [Row("", n, 0, 0, n / 10, BOX, 1 - n / 20, (-1) ** n * n, 1.0) for n in range(10)]
    assert set(goes_with(rows[:7]).values()) == {None}
    assert goes_with(rows) == {"detail": pytest.approx(-1), "turn": pytest.approx(1), "seam": None}


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


def test_the_page_stands_alone_and_says_its_limits(test: SelfTest, tmp_path: Path) -> None:
    page = write_report(tmp_path / "selftest", "job", test)
    tags = tags_of(page)
    assert tags.loaded
    assert all(source.startswith("data:image/") for source in tags.loaded)
    assert not {"script", "iframe", "link"} & set(tags.tags)
    assert "url(" not in page.read_text(encoding="utf-8")
    assert all(line in tags.text for line in LIMITATIONS)
    assert "noise (ours)" in tags.text
    assert test.report.verdict.sentence in tags.text
    assert "Not asked for" in tags.text
    assert "CONTAMINATED" not in tags.text


def test_names_from_files_cannot_write_into_the_page(tmp_path: Path) -> None:
    card = replace(CARD, training={"data": {"<script>": "<i>"}})
    evil = run(Toys(9, "<script>{}</script>"), card)
    page = write_report(tmp_path / "selftest", "<b>job</b>", evil)
    assert "script" not in tags_of(page).tags
    assert "<script>" not in page.read_text(encoding="utf-8")
    assert "<b>job" not in page.read_text(encoding="utf-8")


def test_json_and_table_hold_what_the_page_shows(test: SelfTest, tmp_path: Path) -> None:
    folder = write_report(tmp_path / "selftest", "job", test).parent
    text = (folder / "report.json").read_text(encoding="utf-8")
    assert findings.from_json(text) == test.report
    # JSON has no NaN; a reader that is not Python would fail on it.
    assert json.loads(text, parse_constant=pytest.fail)["limitations"][:-1] == list(LIMITATIONS)
    table = list(csv.DictReader(io.StringIO((folder / "frames.csv").read_text(encoding="utf-8"))))
    assert len(table) == 40
    row = test.timeline.rows[3]
    assert float(table[3]["finished"]) == pytest.approx(row.fake, abs=1e-6)
    assert (table[3]["frame"], float(table[3]["seam"])) == (row.frame, pytest.approx(row.seam, abs=1e-4))


def test_a_report_that_lacks_something_does_not_fit_the_schema(test: SelfTest, tmp_path: Path) -> None:
    folder = write_report(tmp_path / "selftest", "job", test).parent
    schema = json.loads((folder / "report.schema.json").read_text(encoding="utf-8"))
    whole = findings.to_json(test.report)
    assert set(schema["required"]) == set(whole)
    for name in whole:
        with pytest.raises(ValidationError):
            findings.from_json(json.dumps({key: value for key, value in whole.items() if key != name}))


def test_a_line_breaks_where_nothing_is_known_and_a_lone_point_is_a_dot() -> None:
    drawn = Chart((0, 4), (0, 1), "").line(range(5), [0.1, 0.2, np.nan, 0.4, np.nan], "fake").svg()
    assert drawn.count("<polyline") == 1
    assert drawn.count("<circle") == 1
    assert "nan" not in drawn


def test_a_long_line_is_thinned_to_its_means() -> None:
    drawn = Chart((0, 1), (0, 1), "").line(np.linspace(0, 1, 9000), np.tile([0.0, 1.0], 4500), "fake").svg()
    points = drawn.split('points="')[1].split('"')[0].split()
    heights = [float(point.split(",")[1]) for point in points]
    assert len(points) <= 450
    # Chart of 220 px with 14 above and 30 below: one half lies in the middle.
    assert heights == pytest.approx([14 + (220 - 44) / 2] * len(points), abs=0.1)


@pytest.fixture
def settings(tmp_path: Path) -> StageSettings:
    """A finished workspace and a detector that has looked at nothing."""
    place = toy_workspace(tmp_path / "work", 10, side_px=128)
    made = build(SPEC, 1)
    assert isinstance(made, VitDetector)
    save_detector(tmp_path / "detector", made, CARD)
    return stage.Settings(workspace=place.root, detector=tmp_path / "detector", device="cpu")


def read_report(cfg: StageSettings) -> findings.Report:
    return findings.from_json((cfg.workspace / "selftest" / "report.json").read_text(encoding="utf-8"))


def test_the_stage_judges_merged_frames_first_and_else_the_finished_clip(settings: StageSettings) -> None:
    place = settings.place
    encode_folder(place.merged, place.result)
    stage.main(settings)
    report = read_report(settings)
    assert (report.compared.kind, report.compared.faces) == ("frames", 10)
    assert report.detector.name == "detector"
    for path in place.merged.glob("*.png"):
        path.unlink()
    stage.main(settings)
    report = read_report(settings)
    assert (report.compared.kind, report.compared.name) == ("clip", "result.mp4")
    assert (report.compared.quality, report.compared.labelled) == (16, True)
    assert not list((place.root / "selftest").glob("*.mp4"))


def test_the_stage_without_a_detector_says_how_to_name_one(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("faceswap.detector.files.assets", lambda: tmp_path)
    with pytest.raises(UserError, match="--detector"):
        stage.main(stage.Settings(workspace=tmp_path))


def test_a_workspace_without_aligned_faces_is_refused(settings: StageSettings) -> None:
    for path in settings.place.aligned(Side.DST).iterdir():
        path.unlink()
    with pytest.raises(UserError, match="no aligned faces"):
        stage.main(settings)


def test_nothing_that_makes_swaps_reads_what_the_self_test_found() -> None:
    makers = [REPOSITORY / "faceswap" / name for name in ("train", "merge", "models", "io", "faceset")]
    files = [path for folder in makers for path in folder.rglob("*.py")]
    files += [REPOSITORY / "stages" / f"{name}.py" for name in ("train", "merge", "encode")]
    for path in files:
        words = {node.value for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                 if isinstance(node, ast.Constant) and isinstance(node.value, str)}  # fmt: skip
        assert not any("selftest" in word or "report.json" in word for word in words), path
