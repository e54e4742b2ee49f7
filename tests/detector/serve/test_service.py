"""What the service refuses and how, and what a visitor may cost."""

import asyncio
import socket
import tempfile
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import ASGITransport, AsyncClient, Response
from hypothesis import given, settings
from hypothesis import strategies as st

from faceswap.align.analysis import FaceAnalyzer, FoundFace
from faceswap.detector.predict import Examiner
from faceswap.detector.serve.service import Rate, app, is_loopback, run
from faceswap.errors import UserError
from faceswap.media import guarded
from faceswap.types import Frame
from tests.detector.toy_service import DECODE, HERE, KNOWN, LIMITS


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


async def _send(
    service: Any, body: AsyncIterator[bytes], headers: dict[str, str] | list[tuple[bytes, bytes]],
    address: str = "127.0.0.1",
) -> list[dict[str, Any]]:  # fmt: skip
    """What a service answers to a body that is sent piece by piece."""
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": await anext(body), "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    raw = headers if isinstance(headers, list) else [(n.encode(), v.encode()) for n, v in headers.items()]
    if not any(name == b"host" for name, _ in raw):
        raw = [(b"host", b"127.0.0.1"), *raw]
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/judge",
        "query_string": b"", "headers": raw, "client": (address, 1), "server": ("127.0.0.1", 80),
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


def test_a_file_that_stops_arriving_is_given_up(examiner: Examiner) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"\x89PNG"
        await asyncio.Event().wait()

    service = app(examiner, replace(LIMITS, silence_s=0.05), KNOWN)
    answered = asyncio.run(_send(service, stalled(), {}))
    assert answered[0]["status"] == 408
    assert b"stopped arriving" in answered[1]["body"]


def test_files_that_arrive_slowly_take_the_places_of_their_own_address_alone(examiner: Examiner) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"\x89PNG"
        await asyncio.Event().wait()

    async def crowd() -> list[int]:
        service = app(examiner, replace(LIMITS, waiting=2, silence_s=3), KNOWN)
        slow = [asyncio.create_task(_send(service, stalled(), {}, "10.0.0.1")) for _ in range(2)]
        await asyncio.sleep(0.1)
        answers = [await _send(service, stalled(), {}, "10.0.0.1")]
        one = asyncio.create_task(_send(service, stalled(), {}, "10.0.0.2"))
        await asyncio.sleep(0.1)
        status = [answers[0][0]["status"], one.done()]
        for task in (*slow, one):
            task.cancel()
        return status

    assert asyncio.run(crowd()) == [503, False]


_TEXT = st.binary(max_size=40) | st.sampled_from(
    [b"http://[", b"http://[::1", b"//", b"multipart/", b"9" * 5000, b"-1", b"\xb2", b"\xff\xfe", b"",
     b"null", b"bytes=0-", b"gzip", b"chunked", b"127.0.0.1:99999999", b"[", b"a" * 60000]
)  # fmt: skip
_NAMES = st.sampled_from(
    [b"origin", b"host", b"content-length", b"content-type", b"transfer-encoding", b"expect", b"cookie",
     b"range", b"content-encoding", b"x-forwarded-for", b"accept", b"connection", b"upgrade", b"referer"]
)  # fmt: skip


@settings(max_examples=2000, deadline=None, derandomize=True)
@given(headers=st.lists(st.tuples(_NAMES, _TEXT), max_size=6))
def test_odd_headers_are_never_an_error_of_the_service(headers: list[tuple[bytes, bytes]]) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"\0" * 2**20

    service = app(None, replace(LIMITS, upload_mib=0.5, per_minute=10**6), KNOWN)  # type: ignore[arg-type]
    status = asyncio.run(_send(service, endless(), headers))[0]["status"]
    assert 400 <= status < 500


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

    class Counting(FaceAnalyzer):
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
