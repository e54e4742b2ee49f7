"""Verdicts on any file, and on files that allow none."""

from pathlib import Path

import numpy as np
import pytest

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.packs import load_pack
from faceswap.detector.network.judge import Judge
from faceswap.detector.network.model import build
from faceswap.detector.predict import Examiner, files_of
from faceswap.errors import UserError
from faceswap.io.images import write_image
from tests.detector.toy_set import SPEC, actor_frames


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(FaceAnalyzer(load_pack("bundled", "cpu")), Judge(build(SPEC, 1)), threshold=0.5)


def test_every_face_of_a_picture_is_judged_and_the_worst_decides(examiner: Examiner) -> None:
    (first, _), (second, _) = actor_frames("a", 1)[0], actor_frames("b", 1)[0]
    found = examiner.picture("both.png", np.concatenate([first, second], axis=1))
    assert len(found.faces) == 2
    assert found.score == max(face.score for face in found.faces)
    lefts = sorted(face.box[0] for face in found.faces)
    assert lefts[0] < 512 < lefts[1]


def test_a_clip_is_the_mean_of_its_frames_and_knows_their_times(examiner: Examiner, demo_clips: Path) -> None:
    found = examiner.clip(demo_clips / "actor_a.mp4", most_frames=20)
    assert [face.frame for face in found.faces] == list(range(20))
    assert found.faces[5].time_s == pytest.approx(5 / 25, abs=1e-3)
    assert found.score == pytest.approx(np.mean([face.score for face in found.faces]))
    # SSAT's form: segments of 16 frames, here one of 16 and one of 4.
    scores = [face.score for face in found.faces]
    assert found.segments == pytest.approx((np.mean(scores[:16]) + np.mean(scores[16:])) / 2)


def test_three_frames_are_too_few_for_a_clip(examiner: Examiner, demo_clips: Path) -> None:
    found = examiner.clip(demo_clips / "actor_a.mp4", most_frames=3)
    assert (found.label, found.score) == ("undetermined", None)
    assert "3 of 3 frames" in found.reason


def test_where_no_face_is_nothing_is_said(examiner: Examiner) -> None:
    found = examiner.picture("wall.png", np.full((200, 200, 3), 90, np.uint8))
    assert (found.label, found.score, found.reason) == ("undetermined", None, "no face was found")


def test_twenty_pixels_are_too_few(examiner: Examiner) -> None:
    found = examiner.picture("icon.png", np.zeros((20, 20, 3), np.uint8))
    assert found.label == "undetermined"
    assert "20x20" in found.reason


def test_sixteen_bits_grey_and_alpha_are_read(examiner: Examiner, tmp_path: Path) -> None:
    import cv2

    frame, _ = actor_frames("a", 1)[0]
    plain = examiner.picture("plain", frame).score
    assert plain is not None
    write_image(tmp_path / "deep.png", frame.astype(np.uint16) * 257)
    bgra = cv2.cvtColor(frame, cv2.COLOR_RGB2BGRA)
    cv2.imwrite(str(tmp_path / "alpha.png"), bgra)
    cv2.imwrite(str(tmp_path / "grey.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))
    assert examiner.file(tmp_path / "deep.png").score == pytest.approx(plain, abs=1e-6)
    assert examiner.file(tmp_path / "alpha.png").score == pytest.approx(plain, abs=1e-6)
    assert examiner.file(tmp_path / "grey.png").score is not None


def test_a_corrupt_file_among_others_is_named_and_the_rest_is_judged(
    examiner: Examiner, tmp_path: Path
) -> None:
    frame, _ = actor_frames("a", 1)[0]
    write_image(tmp_path / "a.png", frame)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    (tmp_path / "c.mp4").write_bytes(b"no clip")
    (tmp_path / "frames.mp4").mkdir()
    verdicts = {path.name: examiner.file(path) for path in files_of(tmp_path)}
    assert verdicts["a.png"].score is not None
    assert [verdicts[name].label for name in ("b.png", "c.mp4")] == ["undetermined"] * 2
    assert verdicts["b.png"].reason
    assert "c.mp4 is no video" in verdicts["c.mp4"].reason
    assert all("\n" not in verdict.reason for verdict in verdicts.values())


def test_an_empty_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no picture and no clip"):
        files_of(tmp_path)
    with pytest.raises(UserError, match="no file"):
        files_of(tmp_path / "x.png")
