"""Connections that ask nothing keep nobody out: a real server on loopback, few connections, short times."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
import uvicorn

from faceswap.detector.serve.connections import ConnectionLimits, limited

LIMITS = ConnectionLimits(head_s=0.4, take_s=0.4, per_client=4, in_all=6)
ASK = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"
Connect = Callable[..., socket.socket]


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """Says "well"; for /slow after a second, for /large after 16 MiB."""
    if scope["type"] == "http":
        large = b" " * (1 << 24) if scope["path"] == "/large" else b""
        await asyncio.sleep(1.0 if scope["path"] == "/slow" else 0)
        await send({"type": "http.response.start", "status": 200, "headers": _length(large)})
        await send({"type": "http.response.body", "body": large + b"well"})


def _length(large: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", b"%d" % (len(large) + 4))]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Open a connection and send what is given; all are closed at the end."""
    config = uvicorn.Config(answering, http=limited(LIMITS), log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    with ExitStack() as stack:

        def opened(sent: bytes = b"") -> socket.socket:
            one = socket.create_connection(listening.getsockname(), timeout=5)
            stack.enter_context(one)
            one.sendall(sent)
            return one

        yield opened
    server.should_exit = True
    thread.join()
    listening.close()


def answer(connection: socket.socket) -> bytes:
    """What arrives until an answer is whole or the other side closes."""
    said = b""
    with suppress(ConnectionError):
        while not said.endswith(b"well") and (part := connection.recv(1 << 16)):
            said += part
    return said


@pytest.mark.parametrize("silent", [3, 4, 20])
@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"POST /judge HTTP/1.1\r\nhost: here\r\nx: "])
def test_however_many_connections_ask_nothing_a_request_is_answered(
    connect: Connect, silent: int, sent: bytes
) -> None:
    for _ in range(silent):
        connect(sent)
    assert answer(connect(ASK)).endswith(b"well")


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nhost: here\r\nx: "])
def test_a_head_that_does_not_arrive_in_time_ends_its_connection(connect: Connect, sent: bytes) -> None:
    began, one = time.monotonic(), connect(sent)
    assert answer(one).startswith(b"HTTP/1.1 408")
    assert answer(one) == b""
    assert time.monotonic() - began >= LIMITS.head_s * 0.9


def test_a_head_that_drips_is_timed_from_its_first_byte_also_after_an_answer(connect: Connect) -> None:
    one = connect(ASK)
    assert answer(one).endswith(b"well")
    one.settimeout(0.1)
    said = b""
    for letter in ASK[:-4]:
        one.sendall(bytes([letter]))
        try:
            said = one.recv(100)
            break
        except TimeoutError:
            continue
    assert said.startswith(b"HTTP/1.1 408")


def test_a_connection_that_is_being_answered_makes_no_room(connect: Connect) -> None:
    slow = [connect(ASK.replace(b"/ ", b"/slow ")) for _ in range(LIMITS.per_client)]
    time.sleep(0.2)
    assert answer(connect(ASK)).startswith(b"HTTP/1.1 503")
    assert all(answer(one).endswith(b"well") for one in slow)
    assert answer(connect(ASK)).endswith(b"well")


def test_clients_that_do_not_read_their_answers_keep_nobody_out(connect: Connect) -> None:
    # The second answer waits until the first one is read.
    for _ in range(LIMITS.per_client):
        connect(2 * ASK.replace(b"/ ", b"/large "))
    time.sleep(LIMITS.take_s / 2)
    assert any(answer(connect(ASK)).endswith(b"well") for _ in range(50) if not time.sleep(0.1))


def test_a_large_answer_that_is_read_arrives_whole(connect: Connect) -> None:
    assert len(answer(connect(ASK.replace(b"/ ", b"/large ")))) > 1 << 24
