"""Networks that answer with no numbers: the face is passed over, or a sentence ends the stage."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from faceswap.align import answers
from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.packs import Pack, load_pack
from faceswap.errors import UserError
from faceswap.merge.upscale import Upscaler

NO_NUMBERS = (np.nan, np.inf, -np.inf, 1e38)


class Odd:
    """A network of a pack whose answers are changed."""

    def __init__(self, network: Any, method: str, change: Any) -> None:
        self._network, self._method, self._change = network, method, change

    def __getattr__(self, name: str) -> Any:
        own = getattr(self._network, name)
        return (lambda *args, **more: self._change(own(*args, **more))) if name == self._method else own


@pytest.fixture(autouse=True)
def told_anew() -> None:
    answers.tell_once.cache_clear()


@pytest.fixture
def frame(toy: SimpleNamespace) -> NDArray[np.uint8]:
    picture = np.zeros((480, 640, 3), np.uint8)
    toy.draw(picture, 8, 5)
    return picture


@pytest.fixture
def pack(toy_pack: Path) -> Pack:
    return load_pack(str(toy_pack), "cpu")


def with_odd(pack: Pack, part: str, method: str, change: Any) -> FaceAnalyzer:
    parts = vars(pack) | {part: Odd(getattr(pack, part), method, change)}
    return FaceAnalyzer(Pack(**parts))


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_landmarks_that_are_no_numbers_cost_the_face_and_are_told_once(
    pack: Pack, frame: NDArray[np.uint8], value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(FaceAnalyzer(pack).find(frame)) == 1, "the pack should find it, or this tests nothing"
    odd = with_odd(pack, "landmarker", "get", lambda points: np.full_like(points, value))
    assert odd.find(frame) == odd.find(frame) == []
    assert capsys.readouterr().err.count("landmarker") == 1


def test_landmarks_in_one_point_cost_the_face(pack: Pack, frame: NDArray[np.uint8]) -> None:
    odd = with_odd(pack, "landmarker", "get", lambda points: points * 0 + 5)
    assert odd.find(frame) == []


@pytest.mark.parametrize("value", NO_NUMBERS[:3])
def test_boxes_that_are_no_numbers_are_passed_over(
    pack: Pack, frame: NDArray[np.uint8], value: float
) -> None:
    odd = with_odd(pack, "finder", "detect", lambda found: (found[0] * value, found[1]))
    assert odd.find(frame) == []


@pytest.mark.parametrize("value", NO_NUMBERS[:3])
def test_a_vector_that_is_no_number_leaves_the_face_without(
    pack: Pack, frame: NDArray[np.uint8], value: float
) -> None:
    odd = with_odd(pack, "recogniser", "get_feat", lambda vector: vector * 0 + value)
    (face,) = odd.find(frame)
    assert face.embedding is None


@pytest.mark.parametrize(("part", "method"), [("landmarker", "get"), ("finder", "detect")])
def test_answers_of_another_shape_end_in_a_sentence(
    pack: Pack, frame: NDArray[np.uint8], part: str, method: str
) -> None:
    for change in (lambda _: [np.zeros((3, 4, 7))], lambda _: None, lambda _: ["a"]):
        with pytest.raises(UserError, match="toy"):
            with_odd(pack, part, method, change).find(frame)


class OddUpscaler(Upscaler):
    """Answers whatever it is given."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def answer(self, face: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(self.given, np.float32)


@pytest.mark.parametrize("answer", [
    np.full((1, 3, 32, 32), np.nan), np.full((1, 3, 32, 32), np.inf), np.zeros((1, 3, 31, 32)),
    np.zeros(0), "text",
])  # fmt: skip
def test_an_upscaler_that_answers_no_picture_is_a_sentence(answer: Any) -> None:
    with pytest.raises(UserError, match="upscaler"):
        OddUpscaler(answer).enhance(np.zeros((16, 16, 3), np.float32))
