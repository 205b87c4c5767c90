"""The health check of images, with a real server."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.local.ports import free_port


class Answers(BaseHTTPRequestHandler):
    """200 at /livez, and at /ping for who has the key; else 503."""

    def do_GET(self) -> None:
        is_known = self.headers.get("Authorization") == "Bearer abc"
        self.send_response(200 if self.path == "/livez" or (self.path == "/ping" and is_known) else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key_file.json"
    path.write_text(json.dumps({"inference": {"key": "abc"}}))
    return path


def probe(*arguments: str | Path) -> int:
    environment = {**os.environ, "http_proxy": f"http://127.0.0.1:{free_port()}"}
    return subprocess.run([sys.executable, "-m", "deploy.probe", *arguments], env=environment, check=False).returncode


def test_a_server_that_answers_is_well(url: str) -> None:
    assert probe(f"{url}/livez") == 0


def test_one_that_says_otherwise_is_not(url: str) -> None:
    assert probe(f"{url}/readyz") == 1


def test_nor_one_that_does_not_answer() -> None:
    assert probe(f"http://127.0.0.1:{free_port()}/livez") == 1


def test_a_torchserve_is_shown_its_key(url: str, key_file: Path) -> None:
    assert probe(f"{url}/ping", key_file) == 0
    assert probe(f"{url}/ping") == 1


def test_a_torchserve_without_a_key_has_not_started(url: str, tmp_path: Path) -> None:
    assert probe(f"{url}/ping", tmp_path / "none.json") == 1
