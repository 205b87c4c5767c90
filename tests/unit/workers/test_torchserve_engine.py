"""What TorchServe may answer, and what that means for a batch."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from deploy.local.ports import free_port
from model_store.errors import UnknownModelError
from model_store.registry import Registry
from model_store.torchserve.wire import encode_error
from spade.errors import ConfigError, OutOfMemoryError, SpadeError
from support.answering import reply, serving
from support.engine_inputs import inputs_of
from support.waiting import wait_until
from workers.errors import EngineFailedError, EngineUnavailableError
from workers.inputs import Inputs
from workers.torchserve_engine import TorchServeEngine
from workers.torchserve_settings import TorchServeSettings

CARD = Registry(None).card("landscape")
GOOD = bytes(8 * 8 * 3)
ITS_OWN = json.dumps({"code": 0, "type": "InternalServerException", "message": "Worker died."}).encode()
BAD_KEY = json.dumps({"code": 400, "type": "InvalidKeyException", "message": "Token Authorization failed."}).encode()


def batch(items: int) -> Inputs:
    """Each map is full of its own number, so that an answer can depend on it."""
    return inputs_of(CARD, np.tile(np.arange(items, dtype=np.int32)[:, None, None], (1, 8, 8)))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key_file.json"
    path.write_text(json.dumps({"inference": {"key": "abc"}}))
    return path


@contextmanager
def engine_at(url: str, key_file: Path, **settings: float) -> Iterator[TorchServeEngine]:
    with closing(TorchServeEngine(TorchServeSettings(url=url, key_file=key_file, **settings), at_once=4)) as engine:
        yield engine


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (503, ITS_OWN, EngineUnavailableError, "TorchServe answered 503: .*Worker died"),
        (429, b"", EngineUnavailableError, "answered 429"),
        (507, ITS_OWN, EngineUnavailableError, "answered 507"),
        (413, ITS_OWN, ConfigError, "answered 413"),
        (500, ITS_OWN, EngineFailedError, "answered 500: .*Worker died"),
        (418, b"\xff", EngineFailedError, "answered 418"),
        (200, GOOD[1:], EngineFailedError, "no picture of the size asked for"),
        (*encode_error(OutOfMemoryError("no room")), OutOfMemoryError, "^no room$"),
        (*encode_error(ConfigError("id 99")), ConfigError, "^id 99$"),
        (*encode_error(SpadeError("no encoder")), SpadeError, "^no encoder$"),
        (*encode_error(RuntimeError("odd")), EngineFailedError, "^RuntimeError: odd$"),
    ],
)
def test_an_answer_without_a_picture_is_the_error_that_it_means(
    key_file: Path, status: int, body: bytes, kind: type[Exception], message: str
) -> None:
    with (
        serving(lambda request: reply(request, status, body)) as url,
        engine_at(url, key_file) as engine,
        pytest.raises(kind, match=message) as raised,
    ):
        engine.synthesize(batch(1))
    assert type(raised.value) is kind


def test_of_several_errors_the_one_that_says_most_stands_for_the_batch(key_file: Path) -> None:
    left = [(503, ITS_OWN), (500, ITS_OWN), encode_error(OutOfMemoryError("no room")), (200, GOOD)]

    with serving(lambda request: reply(request, *left.pop())) as url, engine_at(url, key_file) as engine:
        with pytest.raises(OutOfMemoryError):
            engine.synthesize(batch(4))
        assert left == [], "every item was asked for"


def test_a_torchserve_that_is_not_there_is_away(key_file: Path) -> None:
    with engine_at(f"http://127.0.0.1:{free_port()}", key_file) as engine:
        for act in (engine.ping, lambda: engine.synthesize(batch(2))):
            with pytest.raises(EngineUnavailableError, match="does not answer: ConnectError"):
                act()


def test_a_torchserve_that_hangs_up_is_away(key_file: Path) -> None:
    def hang_up(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True

    with (
        serving(hang_up) as url,
        engine_at(url, key_file) as engine,
        pytest.raises(EngineUnavailableError, match="does not answer: RemoteProtocolError"),
    ):
        engine.synthesize(batch(1))


@pytest.mark.parametrize(
    ("answers_pings", "kind", "message"),
    [
        (True, EngineFailedError, r"no picture within 0\.1 s"),
        (False, EngineUnavailableError, "does not answer: ReadTimeout"),
    ],
)
def test_a_torchserve_that_takes_too_long_has_failed_if_it_still_answers_pings(
    key_file: Path, monkeypatch: pytest.MonkeyPatch, answers_pings: bool, kind: type[Exception], message: str
) -> None:
    monkeypatch.setattr("workers.torchserve_engine._CONNECT_SECONDS", 0.2)
    enough = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.command == "GET" and answers_pings:
            reply(request, 200, b"{}")
        else:
            enough.wait(20)

    with serving(answer) as url, engine_at(url, key_file, timeout_seconds=0.1) as engine:
        with pytest.raises(kind, match=message):
            engine.synthesize(batch(1))
        enough.set()


def test_a_torchserve_with_one_model_out_of_order_is_not_away_for_the_others(key_file: Path) -> None:
    unhealthy = b'{"status": "Unhealthy"}'
    with serving(lambda request: reply(request, 500, unhealthy)) as url, engine_at(url, key_file) as engine:
        engine.ping()


def test_a_newer_key_is_read_when_the_one_in_use_is_refused(key_file: Path) -> None:
    seen: list[str] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers["Authorization"])
        good = seen[-1] == "Bearer new" or len(seen) == 1
        reply(request, 200 if good else 400, GOOD if good else BAD_KEY)

    with serving(answer) as url, engine_at(url, key_file) as engine:
        engine.synthesize(batch(1))
        key_file.write_text(json.dumps({"inference": {"key": "new"}}))
        engine.synthesize(batch(1))
        engine.ping()
    assert seen == ["Bearer abc", "Bearer abc", "Bearer new", "Bearer new"]


def test_keys_that_are_all_refused_are_waited_for(key_file: Path) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        key_file.write_text(json.dumps({"inference": {"key": f"after {request.headers['Authorization']}"}}))
        reply(request, 400, BAD_KEY)

    with (
        serving(answer) as url,
        engine_at(url, key_file) as engine,
        pytest.raises(EngineUnavailableError, match="refuses every key"),
    ):
        engine.ping()


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, r"cannot be read: No such file.*; TorchServe writes it when it starts"), ("{}", "has no inference key")],
)
def test_a_file_of_keys_that_has_none_yet_is_waited_for(tmp_path: Path, text: str | None, message: str) -> None:
    key_file = tmp_path / "key_file.json"
    if text is not None:
        key_file.write_text(text)
    with engine_at("http://127.0.0.1:1", key_file) as engine, pytest.raises(EngineUnavailableError, match=message):
        engine.ping()


def test_a_torchserve_that_takes_a_ping_and_says_nothing_is_away(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.torchserve_engine._CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with engine_at(url, key_file) as engine, pytest.raises(EngineUnavailableError, match="ReadTimeout"):
            engine.ping()


def test_a_model_that_was_given_up_is_waited_for_again(key_file: Path) -> None:
    def missing(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, 404, b"{}")

    with serving(missing) as url, engine_at(url, key_file, missing_seconds=0.05) as engine:
        found = [kind_of(lambda: engine.synthesize(batch(1))) for _ in range(2)]
        assert found[0] is EngineUnavailableError
        wait_until(lambda: kind_of(lambda: engine.synthesize(batch(1))) is UnknownModelError, "it is given up")
        assert kind_of(lambda: engine.synthesize(batch(1))) is EngineUnavailableError


def kind_of(act: Callable[[], object]) -> type[Exception]:
    with pytest.raises((EngineUnavailableError, UnknownModelError)) as caught:
        act()
    return caught.type
