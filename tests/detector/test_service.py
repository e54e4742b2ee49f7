"""The service: what it answers, what it refuses and how, and the page in a real browser."""

import asyncio
import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx2 import ASGITransport, AsyncClient, Response
from numpy.typing import NDArray

from faceswap.detector.answer import Known
from faceswap.detector.files import Card, save_detector
from faceswap.detector.judge import Judge
from faceswap.detector.limits import LIMITATIONS
from faceswap.detector.model import build
from faceswap.detector.predict import Examiner
from faceswap.detector.service import Limits, Rate, app, is_loopback, run
from faceswap.errors import UserError
from faceswap.faces.analysis import Analyst, FoundFace
from faceswap.faces.packs import load_pack
from faceswap.io import guarded
from faceswap.io.ffmpeg import ffmpeg_binary
from faceswap.io.images import decode_image, encode_image
from faceswap.types import Frame
from tests.conftest import REPOSITORY
from tests.detector.conftest import SPEC, actor_frames

DECODE = guarded.Limits(megapixels=4, clip_s=10, frames=10, decode_s=60, memory_mib=4096)
LIMITS = Limits(DECODE, upload_mib=2, upload_s=60, per_minute=1000, waiting=4)
KNOWN = Known(name="toy", sha256="0" * 64)
HERE = "http://127.0.0.1"


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(Analyst(load_pack("bundled", "cpu")), Judge(build(SPEC, 1)), threshold=0.5)


@pytest.fixture(scope="module")
def client(examiner: Examiner) -> TestClient:
    return TestClient(app(examiner, LIMITS, KNOWN), HERE)


@pytest.fixture(scope="module")
def actor() -> NDArray[np.uint8]:
    return actor_frames("a", 1)[0][0]


@pytest.fixture(scope="module")
def portrait(actor: NDArray[np.uint8]) -> bytes:
    return encode_image(".png", actor)


@pytest.fixture(scope="module")
def clip(demo_clips: Path) -> bytes:
    return (demo_clips / "actor_a.mp4").read_bytes()


@pytest.fixture(scope="module", autouse=True)
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """The stage as a user would run it; started first, because it takes seconds to import what it needs."""
    folder = tmp_path_factory.mktemp("stage")
    save_detector(folder / "toy", build(SPEC, 0), Card(thresholds={"0.05": 0.5}))
    words = ["serve", "--detector", "toy", "--port", "0", "--frames", "10"]
    with subprocess.Popen(
        [sys.executable, "-m", "stages.detector", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def address(stage: subprocess.Popen[str]) -> str:
    """Where the stage says that it is."""
    assert stage.stdout is not None
    return stage.stdout.readline().split()[1]


def pixels(data_uri: str) -> Frame:
    return decode_image(base64.b64decode(data_uri.partition(",")[2]))


def test_a_picture_is_judged_as_predict_judges_it(
    client: TestClient, examiner: Examiner, actor: NDArray[np.uint8], portrait: bytes
) -> None:
    answer = client.post("/judge", content=portrait).json()
    found = examiner.picture("x", actor)
    assert (answer["kind"], answer["label"]) == ("picture", found.label.lower())
    assert answer["probability"] == pytest.approx(found.score, abs=1e-6)
    assert answer["threshold"] == 0.5
    assert answer["detector"] == KNOWN.model_dump()
    assert answer["limits"] == list(LIMITATIONS)
    (face,), (expected,) = answer["faces"], found.faces
    assert face["box"] == pytest.approx(expected.box)
    assert (face["frame"], face["time_s"]) == (0, None)


def test_every_face_of_a_picture_has_a_score_and_a_heat_map(client: TestClient) -> None:
    both = np.concatenate([actor_frames(which, 1)[0][0] for which in "ab"], axis=1)
    answer = client.post("/judge", content=encode_image(".png", both)).json()
    assert len(answer["faces"]) == 2
    assert answer["probability"] == max(face["score"] for face in answer["faces"])
    assert all(face["heat_map"].startswith("data:image/png;base64,") for face in answer["faces"])


def test_a_heat_map_is_what_lies_between_its_corners_with_the_patches_over_it(
    client: TestClient, actor: NDArray[np.uint8], portrait: bytes
) -> None:
    (face,) = client.post("/judge", content=portrait).json()["faces"]
    found = pixels(face["heat_map"]).astype(np.float32)
    side = found.shape[0]
    outer = np.array([(0, 0), (side, 0), (0, side)], np.float32) - 0.5
    to_crop = cv2.getAffineTransform(np.array(face["corners"], np.float32), outer)
    crop = cv2.warpAffine(actor, to_crop, (side, side), flags=cv2.INTER_AREA).astype(np.float32)
    patches = np.array(face["patches"], np.float32)
    glow = 0.7 * np.kron(patches, np.ones((side // len(patches),) * 2))[..., None]
    assert np.abs(found - (crop * (1 - glow) + np.array([255, 120, 20]) * glow)).mean() < 4


def test_a_clip_is_judged_frame_by_frame_and_says_which(client: TestClient, clip: bytes) -> None:
    answer = client.post("/judge", content=clip).json()
    scores = [frame["score"] for frame in answer["frames"]]
    assert answer["kind"] == "clip"
    assert answer["note"] == "10 of its 200 frames were judged, evenly spaced"
    assert len(scores) == 10
    assert answer["probability"] == pytest.approx(np.mean(scores))
    assert np.diff([frame["time_s"] for frame in answer["frames"]]) == pytest.approx([0.8] * 9)
    assert all(pixels(frame["picture"]).shape == (512, 512, 3) for frame in answer["frames"])


def test_three_frames_are_too_few_to_judge_a_clip(
    client: TestClient, demo_clips: Path, tmp_path: Path
) -> None:
    command = [ffmpeg_binary(), "-loglevel", "error", "-i", str(demo_clips / "actor_a.mp4")]
    subprocess.run([*command, "-c", "copy", "-frames:v", "3", "-an", str(tmp_path / "x.mp4")], check=True)
    answer = client.post("/judge", content=(tmp_path / "x.mp4").read_bytes()).json()
    assert (answer["label"], answer["probability"]) == ("undetermined", None)
    assert "3 of 3 frames" in answer["reason"]


@pytest.mark.parametrize(("side_px", "reason"), [(200, "no face was found"), (20, "20x20 px are too few")])
def test_where_nothing_can_be_said_there_is_no_number(client: TestClient, side_px: int, reason: str) -> None:
    wall = encode_image(".png", np.full((side_px, side_px, 3), 90, np.uint8))
    answer = client.post("/judge", content=wall).json()
    assert (answer["label"], answer["probability"], answer["faces"]) == ("undetermined", None, [])
    assert reason in answer["reason"]
    assert [frame["score"] for frame in answer["frames"]] == [None]


@pytest.mark.parametrize("kind", ["sixteen bits", "grey", "alpha", "webp"])
def test_pictures_of_every_depth_and_format_are_judged(
    client: TestClient, actor: NDArray[np.uint8], kind: str
) -> None:
    bgr = actor[..., ::-1]
    suffix, content = {
        "sixteen bits": (".png", bgr.astype(np.uint16) * 257),
        "grey": (".png", bgr.mean(axis=2).astype(np.uint8)),
        "alpha": (".png", np.dstack([bgr, bgr[..., 0]])),
    }.get(kind, (f".{kind}", bgr))
    sent = cv2.imencode(suffix, content)[1].tobytes()
    assert client.post("/judge", content=sent).json()["label"] in ("real", "fake")


def refusals(portrait: bytes) -> dict[str, tuple[bytes, int, str]]:
    ihdr = portrait.replace(portrait[16:24], (60000).to_bytes(4, "big") * 2, 1)
    crc = zlib.crc32(ihdr[12:29]).to_bytes(4, "big")
    return {
        "bomb": (ihdr[:29] + crc + ihdr[33:], 413, "60000x60000 px"),
        "no picture": (b"<svg onload=alert(1)>", 422, "no picture and no clip"),
        "empty": (b"", 422, "no picture and no clip"),
        "cut": (portrait[:5000], 422, "cut short"),
        "body": (b"\0" * (2 * 2**20 + 1), 413, "at most 2 MiB"),
    }


@pytest.mark.parametrize("name", ["bomb", "no picture", "empty", "cut", "body"])
def test_what_cannot_be_judged_is_refused_with_a_sentence(
    client: TestClient, portrait: bytes, name: str
) -> None:
    sent, status, why = refusals(portrait)[name]
    refused = client.post("/judge", content=sent)
    assert refused.status_code == status
    assert why in refused.json()["detail"]
    assert tempfile.gettempdir() not in refused.text


@pytest.mark.parametrize(
    ("decode", "status", "why"),
    [
        (replace(DECODE, clip_s=7), 413, "8 s long; at most 7 s"),
        (replace(DECODE, decode_s=0.01), 422, "took longer than 0.01 s and was stopped"),
    ],
)
def test_a_clip_over_the_limits_of_decoding_is_refused(
    examiner: Examiner, clip: bytes, decode: guarded.Limits, status: int, why: str
) -> None:
    with TestClient(app(examiner, replace(LIMITS, decode=decode), KNOWN), HERE) as client:
        refused = client.post("/judge", content=clip)
    assert refused.status_code == status
    assert why in refused.json()["detail"]


def test_nothing_stays_on_disk_after_an_answer_or_a_refusal(
    examiner: Examiner, portrait: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    class Peeking(Examiner):
        def look(self, frames: Any) -> Any:
            seen.extend(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
            return super().look(frames)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    peeking = Peeking(examiner.analyst, examiner.judge, examiner.threshold)
    client = TestClient(app(peeking, LIMITS, KNOWN), HERE)
    assert client.post("/judge", content=portrait).status_code == 200
    assert seen == [len(portrait)]
    assert not list(tmp_path.iterdir())
    for sent, status, _ in (refusals(portrait)[name] for name in ("cut", "body")):
        assert client.post("/judge", content=sent).status_code == status
        assert not list(tmp_path.iterdir())


async def _send(service: Any, body: AsyncIterator[bytes], headers: dict[str, str]) -> list[dict[str, Any]]:
    """What a service answers to a body that is sent piece by piece."""
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": await anext(body), "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    raw = [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1", **headers}.items()]
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/judge",
        "query_string": b"", "headers": raw, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await service(scope, receive, send)
    return answered


@pytest.mark.parametrize(("declared", "pieces"), [({}, 3), ({"content-length": "99999999"}, 0)])
def test_a_body_that_is_too_large_is_refused_while_it_arrives(
    examiner: Examiner, declared: dict[str, str], pieces: int
) -> None:
    sent = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            sent.append(1)
            yield b"\0" * 2**20

    answered = asyncio.run(_send(app(examiner, LIMITS, KNOWN), endless(), declared))
    assert answered[0]["status"] == 413
    assert len(sent) == pieces


def test_a_file_that_does_not_arrive_in_time_is_given_up(examiner: Examiner) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"\x89PNG"
        await asyncio.Event().wait()

    service = app(examiner, replace(LIMITS, upload_s=0.05), KNOWN)
    assert asyncio.run(_send(service, stalled(), {}))[0]["status"] == 408


def test_too_many_requests_are_told_when_to_come_back(examiner: Examiner) -> None:
    client = TestClient(app(examiner, replace(LIMITS, per_minute=2), KNOWN), HERE)
    assert [client.post("/judge", content=b"x").status_code for _ in range(2)] == [422, 422]
    refused = client.post("/judge", content=b"x")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert client.get("/health").status_code == 200


def test_a_rate_is_kept_for_each_address_and_forgotten_after_a_minute() -> None:
    rate = Rate(2)
    assert [rate.wait_s("a", at) for at in (0.0, 10.0, 20.0)] == [0, 0, 40]
    assert rate.wait_s("b", 20.0) == 0
    assert rate.wait_s("a", 60.5) == 0
    assert rate.wait_s("a", 61.0) == 9


def test_files_are_judged_one_at_a_time_and_only_so_many_wait(examiner: Examiner, portrait: bytes) -> None:
    busy, most = 0, 0

    class Counting(Analyst):
        def find(self, frame: Frame) -> list[FoundFace]:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            try:
                return super().find(frame)
            finally:
                busy -= 1

    counting = Examiner(Counting(examiner.analyst.pack), examiner.judge, examiner.threshold)
    service = app(counting, replace(LIMITS, waiting=3), KNOWN)

    async def crowd() -> list[Response]:
        async with AsyncClient(transport=ASGITransport(service), base_url=HERE, timeout=60) as client:
            return await asyncio.gather(*(client.post("/judge", content=portrait) for _ in range(5)))

    answers = asyncio.run(crowd())
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 503, 503]
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
    assert most == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "elsewhere.example"}, 400),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"origin": HERE}, 422),
    ],
)
def test_pages_of_other_sites_and_forms_are_turned_away(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    assert client.post("/judge", content=b"x", headers=headers).status_code == status


def test_the_page_loads_nothing_from_elsewhere_and_says_what_a_verdict_does_not_mean(
    client: TestClient,
) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    (nonce,) = set(re.findall(r"'nonce-([^']+)'", policy))
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert set(re.findall(r"<(?:script|style)[^>]*>", page.text)) == {
        f'<script nonce="{nonce}">',
        f'<style nonce="{nonce}">',
    }
    assert nonce not in client.get("/").text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page.text)
    for line in LIMITATIONS:
        assert line.replace("'", "&#39;") in page.text


def test_health_names_the_detector(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "detector": KNOWN.model_dump(), "waiting": 0}


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("example.org", False)],
)
def test_what_only_this_machine_can_reach_is_known(host: str, alone: bool) -> None:
    assert is_loopback(host) == alone


def test_a_taken_port_is_a_sentence_and_an_open_host_a_warning(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port}"):
            run(client.app, "0.0.0.0", port)  # type: ignore[arg-type]
        assert "no password" in capsys.readouterr().err
        with pytest.raises(UserError, match="choose another --port"):
            run(client.app, "127.0.0.1", port)  # type: ignore[arg-type]
        assert "no password" not in capsys.readouterr().err


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A headless Chromium with a profile of its own."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs Chromium: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-dev-shm-usage",
        "disable-background-networking", "disable-component-update", "disable-sync",
        f"user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driven = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield driven
    finally:
        driven.quit()


def test_a_person_is_told_in_a_browser(browser: Any, address: str, portrait: bytes, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def element(name: str) -> Any:
        return browser.find_element(By.ID, name)

    def sent(path: Path) -> str:
        element("file").send_keys(str(path))
        WebDriverWait(browser, 60).until(lambda _: element("file").is_enabled() and "busy" not in status())
        return str(element("words").text)

    def status() -> str:
        return str(element("status").get_attribute("class"))

    evil = tmp_path / "<img src=x onerror=document.title='owned'>.png"
    evil.write_bytes(portrait)
    browser.get(address)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("id") == "file"

    assert re.match(r"Called (fake|real): ", sent(evil))
    assert element("name").text == evil.name
    assert re.match(
        r"probability of fake 0\.\d\d, called fake above 0\.50", element("bar").get_attribute("aria-label")
    )
    assert [len(browser.find_elements(By.CSS_SELECTOR, css)) for css in ("#stage image", ".box")] == [1, 1]
    assert len(browser.find_elements(By.CSS_SELECTOR, "#stage .glow rect")) == 16
    assert not element("timeline").is_displayed()

    assert re.match(r"Called (fake|real): ", sent(REPOSITORY / "assets" / "demo" / "actor_b.mp4"))
    assert len(browser.find_elements(By.CSS_SELECTOR, "#chart .fake, #chart .real")) == 10
    element("frame").send_keys(Keys.HOME)
    assert element("where").text.startswith("Frame 1, 0.00 s")
    element("frame").send_keys(Keys.RIGHT)
    assert element("where").text.startswith("Frame 2, 0.80 s")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []

    sent(REPOSITORY / "README.md")
    assert element("status").text == "This is no picture and no clip that can be read, or it is cut off."
    assert not element("result").is_displayed()
    assert browser.title == "Is a face in it forged?"


def test_the_stage_serves_and_ends_well_when_it_is_told_to(
    address: str, stage: subprocess.Popen[str]
) -> None:
    with urlopen(f"{address}health") as answer:
        assert json.load(answer)["detector"]["name"] == "toy"
    stage.terminate()
    assert stage.wait(60) == 0
