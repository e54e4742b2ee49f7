"""Publishing, against a hub that lives in this file and answers the few questions that are asked."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from faceswap.detector.finetune.hub import PUBLISHED, Hub
from faceswap.errors import UserError

TOKEN = "hf_" + "x" * 34


class StandIn(ThreadingHTTPServer):
    """Keeps what is uploaded, by repository and path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.repos: dict[str, dict[str, bytes]] = {}
        self.created: list[dict[str, Any]] = []
        self.commits = 0
        self.may_write = True

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        if not self._is_allowed():
            return
        if self.path == "/api/whoami-v2":
            self._answer(200, {"name": "me", "type": "user"})
        else:
            self._answer(404, {"error": self.path})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._is_allowed():
            return
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[1:] == ["validate-yaml"]:
            good = json.loads(body)["content"].startswith("---\n")
            self._answer(200 if good else 400, {"errors": [] if good else [{"message": "no header"}]})
        elif parts[1:] == ["repos", "create"]:
            asked = json.loads(body)
            if not self.server.may_write:
                self._answer(403, {"error": "this token may only read"})
                return
            self.server.created.append(asked)
            name = f"{asked['organization'] or 'me'}/{asked['name']}"
            self.server.repos.setdefault(name, {})
            self._answer(200, {"url": f"{self.server.endpoint}/{name}"})
        elif parts[4:5] == ["preupload"]:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})
        elif parts[4:5] == ["commit"]:
            name = "/".join(parts[2:4])
            for line in body.splitlines():
                item = json.loads(line)
                if item["key"] == "file":
                    self.server.repos[name][item["value"]["path"]] = base64.b64decode(
                        item["value"]["content"]
                    )
            self.server.commits += 1
            address = f"{self.server.endpoint}/{name}/commit/{'a' * 40}"
            self._answer(200, {"commitUrl": address, "commitOid": "a" * 40})
        else:
            self._answer(404, {"error": self.path})

    def log_message(self, *_: object) -> None:
        pass

    def _is_allowed(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return True
        self._answer(401, {"error": "Invalid username or password."})
        return False

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder as a fine-tuning leaves it."""
    folder = tmp_path / "model"
    (folder / "training" / "crops").mkdir(parents=True)
    for name in PUBLISHED:
        (folder / name).write_bytes(f"content of {name}".encode())
    (folder / "README.md").write_text("---\nlicense: other\n---\n\nA forensic research model.\n")
    for name in ("predictions.csv", "skipped.csv", "finetune.json", "training/crops/somebody.jpg"):
        (folder / name).write_text("names of people")
    return folder


def test_the_model_arrives_whole_and_what_names_people_stays_at_home(stand_in: StandIn, model: Path) -> None:
    told = Hub("me/judge", stand_in.endpoint, TOKEN).push(model)
    assert stand_in.repos == {"me/judge": {name: (model / name).read_bytes() for name in PUBLISHED}}
    assert told == f"{stand_in.endpoint}/me/judge/commit/{'a' * 40}"
    assert stand_in.commits == 1


def test_a_new_repository_is_private_and_belongs_to_who_asks(stand_in: StandIn, model: Path) -> None:
    Hub("judge", stand_in.endpoint, TOKEN).push(model)
    assert list(stand_in.repos) == ["me/judge"]
    assert "private" in json.dumps(stand_in.created[0])
    assert stand_in.created[0].get("visibility", "private") == "private"


def test_without_a_token_it_says_how_to_get_one(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UserError, match="no token") as told:
        Hub("me/judge", stand_in.endpoint)
    assert "HF_TOKEN" in told.value.hint


def test_a_token_that_is_refused_or_may_only_read_is_told(stand_in: StandIn, model: Path) -> None:
    with pytest.raises(UserError, match="refused") as told:
        Hub("me/judge", stand_in.endpoint, "hf_wrong")
    assert "401" in told.value.found
    stand_in.may_write = False
    hub = Hub("me/judge", stand_in.endpoint, TOKEN)
    with pytest.raises(UserError, match="refused") as told:
        hub.push(model)
    assert "403" in told.value.found


def test_a_hub_that_does_not_answer_is_told_before_any_training(stand_in: StandIn) -> None:
    stand_in.shutdown()
    stand_in.server_close()
    with pytest.raises(UserError, match="cannot be reached") as told:
        Hub("me/judge", stand_in.endpoint, TOKEN)
    assert "same command" in told.value.hint


def test_a_name_that_cannot_be_a_repository_is_told(stand_in: StandIn) -> None:
    with pytest.raises(UserError, match="cannot be a repository"):
        Hub("a/b/c", stand_in.endpoint, TOKEN)
