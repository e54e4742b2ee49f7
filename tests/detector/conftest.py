"""What the detector's tests share: sets, folders, models and services that take a while to make."""

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.packs import load_pack
from faceswap.detector.network.judge import Judge
from faceswap.detector.network.model import build
from faceswap.detector.predict import Examiner
from faceswap.detector.selftest.selftest import SelfTest
from faceswap.detector.serve.service import app
from faceswap.io.images import encode_image, write_image
from tests.detector.toy_comparison import Toys, run
from tests.detector.toy_folder import fill
from tests.detector.toy_service import HERE, KNOWN, LIMITS
from tests.detector.toy_set import SPEC, actor_frames, gather_toys
from tests.detector.toy_tuning import a_vit, save_base, toy


@pytest.fixture(scope="session")
def toy_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a manifest and real crops; tests must not write to it."""
    folder = tmp_path_factory.mktemp("set")
    gather_toys(folder)
    return folder


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 reals and 20 fakes; tests must not write to it."""
    data = tmp_path_factory.mktemp("toys")
    for name, count in (("Real", 30), ("Fake", 20)):
        (data / name).mkdir()
        for number in range(count):
            write_image(data / name / f"{number:02d}.png", toy(number, name == "Fake"))
    return data


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that knows five other classes, with dropout; tests must not write to it."""
    return save_base(tmp_path_factory.mktemp("base") / "tiny", a_vit(num_labels=5, hidden_dropout_prob=0.1))


@pytest.fixture
def real_and_fake(tmp_path: Path) -> Path:
    """A folder of three reals and three fakes to write to."""
    fill(tmp_path / "Real", 3, 1)
    fill(tmp_path / "Fake", 3, 2)
    return tmp_path


@pytest.fixture(scope="session")
def tested() -> SelfTest:
    """A self-test of 40 frames."""
    return run(Toys(40))


@pytest.fixture(scope="session")
def examiner() -> Examiner:
    return Examiner(FaceAnalyzer(load_pack("bundled", "cpu")), Judge(build(SPEC, 1)), threshold=0.5)


@pytest.fixture(scope="session")
def client(examiner: Examiner) -> TestClient:
    """The service, without a server."""
    return TestClient(app(examiner, LIMITS, KNOWN), HERE)


@pytest.fixture(scope="session")
def actor() -> NDArray[np.uint8]:
    return actor_frames("a", 1)[0][0]


@pytest.fixture(scope="session")
def portrait(actor: NDArray[np.uint8]) -> bytes:
    return encode_image(".png", actor)


@pytest.fixture(scope="session")
def clip(demo_clips: Path) -> bytes:
    return (demo_clips / "actor_a.mp4").read_bytes()
