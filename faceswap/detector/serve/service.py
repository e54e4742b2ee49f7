"""A small web service: send a picture or a clip, get label, probability, heat maps and scores of frames.

GET  /        A page for people.
POST /judge   The file itself as the body (`curl --data-binary @FILE URL/judge`). There is no form, so no file
              name ever arrives. Answers with a `faceswap.detector.serve.answer.Answer` as JSON.
GET  /health  {"status": "ok", "detector": {"name", "sha256"}, "waiting": files in hand}

What is refused is answered with {"detail": a sentence}: 400 the file did not arrive whole, 403 sent by a page
of another site, 408 sent too slowly or silent for too long, 413 too many bytes, pixels or seconds, 415 a
form, 422 no picture and no clip or none that can be decoded within the limits, 429 too many requests of one
address, 503 too many files in hand (both with Retry-After). A clip of more frames than are allowed is judged
on evenly spaced ones.

A file lies in a temporary folder while it is judged, and nowhere afterwards. It is decoded in a child process
(`faceswap.media.guarded`) and judged here, one file at a time, because the models are loaded once.
"""

import asyncio
import ipaddress
import math
import secrets
import socket
import tempfile
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from faceswap import __version__
from faceswap.console import say, warn
from faceswap.detector.network.model import LIMITATIONS
from faceswap.detector.predict import Examiner
from faceswap.detector.serve.answer import Answer, Known, examine
from faceswap.detector.serve.connections import ConnectionLimits, limited, upload_folder
from faceswap.errors import UserError
from faceswap.media import guarded

# Any other name could belong to somebody who points it at 127.0.0.1 to reach us from a page (DNS rebinding).
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
_MIB = 1 << 20
_MINUTE_S = 60.0
_DIGITS = 18
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Limits:
    """What one visitor may cost. decode: see `guarded.Limits`.

    upload_mib and upload_s: of one file; silence_s: between two of its parts. per_minute: requests of one
    address. waiting: files in hand at once, and files that are arriving from one address.
    """

    decode: guarded.Limits
    upload_mib: float
    upload_s: float
    per_minute: int
    waiting: int
    silence_s: float = 10.0


@dataclass
class Rate:
    """At most `per_minute` requests of one address in any minute."""

    per_minute: int
    _times: dict[str, deque[float]] = field(default_factory=dict)

    def wait_s(self, address: str, now_s: float) -> float:
        """0 where a request may pass, and it is counted; else the seconds until one may."""
        self._times = {who: times for who, times in self._times.items() if times[-1] > now_s - _MINUTE_S}
        times = self._times.setdefault(address, deque(maxlen=self.per_minute))
        if len(times) == self.per_minute and times[0] > now_s - _MINUTE_S:
            return times[0] + _MINUTE_S - now_s
        times.append(now_s)
        return 0.0


def app(examiner: Examiner, limits: Limits, detector: Known, hosts: Sequence[str] = LOOPBACK) -> FastAPI:
    """The service. hosts: the names it answers to, "*" for any."""
    # The documentation pages that FastAPI makes load their scripts from another site.
    service = FastAPI(title="Face-swap detector", version=__version__, docs_url=None, redoc_url=None)
    admission = Admission(limits)
    page = _page(limits, detector)

    @service.middleware("http")
    async def protect(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @service.get("/", response_class=HTMLResponse)
    def show() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return HTMLResponse(page(nonce), headers={"Content-Security-Policy": policy})

    @service.get("/health")
    def health() -> dict[str, object]:
        return {"status": "ok", "detector": detector.model_dump(), "waiting": admission.in_hand}

    @service.post("/judge")
    async def judge(request: Request) -> Answer:
        async with admission.received(request) as path, admission.judging:
            return await run_in_threadpool(_examined, examiner, path, limits.decode, detector)

    service.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    service.state.admission = admission
    return service


class Admission:
    """Where files are handed in: who may, how fast, how many, how large.

    folder: where they lie meanwhile; else the system's for temporary files.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits, self.inside = limits, 0
        self.arriving: Counter[str] = Counter()
        self.judging = asyncio.Lock()
        self.folder: Path | None = None
        self._rate = Rate(limits.per_minute)

    @property
    def in_hand(self) -> int:
        return self.inside + self.arriving.total()

    @asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[Path]:
        """The file of a request, there until the block ends; HTTPException where it is not taken.

        One that is still arriving takes a place of its own address alone: slow senders keep nobody out.
        """
        address = request.client.host if request.client else ""
        self._admit(request, address)
        with tempfile.TemporaryDirectory(prefix="upload-", dir=self.folder) as folder:
            path = Path(folder) / "upload"
            self.arriving[address] += 1
            try:
                await self._store(request, path)
            finally:
                self.arriving[address] -= 1
                self.arriving += Counter()  # nobody who came once is remembered
            self._require_room(self.inside)
            self.inside += 1
            try:
                yield path
            finally:
                self.inside -= 1

    def _admit(self, request: Request, address: str) -> None:
        if not _is_own(request.headers.get("origin"), request.headers.get("host")):
            raise HTTPException(403, "only this service's own page may send files from a browser")
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise HTTPException(415, "send the file itself as the body: curl --data-binary @FILE")
        wait_s = self._rate.wait_s(address, time.monotonic())
        if wait_s > 0:
            why = f"more than {self.limits.per_minute} files in a minute; try again in {wait_s:.0f} s"
            raise HTTPException(429, why, {"Retry-After": str(math.ceil(wait_s))})
        self._require_room(self.inside + self.arriving[address])

    def _require_room(self, taken: int) -> None:
        if taken >= self.limits.waiting:
            why = "too many files are waiting; try again in a while"
            raise HTTPException(503, why, {"Retry-After": "10"})

    async def _store(self, request: Request, path: Path) -> None:
        most = self.limits.upload_mib * _MIB
        large = HTTPException(413, f"at most {self.limits.upload_mib:g} MiB are taken")
        said = request.headers.get("content-length", "")
        # Python refuses numbers of thousands of digits, which are too large anyhow.
        if said.isdecimal() and (len(said) > _DIGITS or int(said) > most):
            raise large
        ends_s = time.monotonic() + self.limits.upload_s
        try:
            with path.open("wb") as file:
                parts = request.stream()
                while True:
                    left_s = ends_s - time.monotonic()
                    async with asyncio.timeout(min(left_s, self.limits.silence_s)):
                        part = await anext(parts, None)
                    if part is None:
                        return
                    if file.tell() + len(part) > most:
                        raise large
                    file.write(part)
        except TimeoutError:
            slow = time.monotonic() >= ends_s
            within = f"did not arrive within {self.limits.upload_s:g} s"
            why = within if slow else f"stopped arriving for {self.limits.silence_s:g} s"
            raise HTTPException(408, f"the file {why}") from None
        except ClientDisconnect:
            raise HTTPException(400, "the file did not arrive whole") from None


def _is_own(origin: str | None, host: str | None) -> bool:
    """Whether a request comes from the service's own page, or from no page."""
    try:
        return origin is None or urlsplit(origin).netloc == host
    except ValueError:
        return False


def _examined(examiner: Examiner, path: Path, limits: guarded.Limits, detector: Known) -> Answer:
    """The answer on the file at `path`; HTTPException where it cannot be decoded."""
    try:
        return examine(examiner, path, limits, detector)
    except guarded.TooLarge as error:
        raise HTTPException(413, error.what) from None
    except guarded.Undecodable as error:
        if error.found:
            # Quoted: a hostile file may have put words for the terminal into its decoder's mouth.
            warn(f"a decoder ended with {error.found!r}")
        raise HTTPException(422, error.what) from None


def _page(limits: Limits, detector: Known) -> Callable[[str], str]:
    """The page, given the nonce that allows its own style and script."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    template = environment.get_template("service.html.j2")
    shown = {"limits": limits, "detector": detector, "limitations": LIMITATIONS}
    return lambda nonce: template.render(nonce=nonce, **shown)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens at `host`."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def run(service: FastAPI, host: str, port: int, connections: ConnectionLimits | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM; UserError where it cannot listen there. port: 0 = any free one."""
    if not is_loopback(host):
        warn(f"everybody who reaches {host} can send files: there is no password and no encryption")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        hint = "choose another --port, 0 for any free one, or another --host"
        raise UserError(f"cannot listen at {host}, port {port}", str(error), hint) from None
    name = f"[{host}]" if ":" in host else host
    # Without proxy_headers nobody can choose the address that their requests are counted for.
    config = uvicorn.Config(
        service, http=limited(connections or ConnectionLimits()), log_level="warning", proxy_headers=False,
        server_header=False, timeout_graceful_shutdown=5,
    )  # fmt: skip
    with listening, upload_folder() as folder, suppress(KeyboardInterrupt):
        service.state.admission.folder = folder
        say(f"open http://{name}:{listening.getsockname()[1]}/ in a browser; Ctrl-C ends this")
        uvicorn.Server(config).run(sockets=[listening])
