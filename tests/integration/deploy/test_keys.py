"""API keys from end to end: made by the command, asked for by real API processes, sent by the client."""

import json
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from api.client import SpadeClient
from api.client_errors import ClientError
from deploy.examples import example_label_maps
from deploy.local.child import Child
from support.keys import bearer, make_key
from support.tls import serve_tls
from support.waiting import wait_until
from workers.keys import KEY_PATTERN
from workers.storage import ObjectStore

SOON_SECONDS = 5.0

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., Child]


def status(url: str, key: str | None = None) -> int:
    """What the API answers; on a connection of its own, so that each of its processes is asked now and then."""
    return httpx.get(f"{url}/v1/jobs", headers={} if key is None else bearer(key)).status_code


def seconds_until(url: str, wanted: int, key: str | None) -> float:
    """How long until a dozen answers in a row are as wanted, which all processes give then."""
    began = time.monotonic()
    wait_until(lambda: all(status(url, key) == wanted for _ in range(12)), f"{wanted} from {url}", seconds=30)
    return time.monotonic() - began


# The commands


def test_a_key_is_printed_once_and_listed_without_its_secret(run: Run) -> None:
    made = run("keys", "create", "--name", "ann", "--rate", "10/s", "--storage-quota", "10GiB", "--max-items", "7")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert KEY_PATTERN.fullmatch(key)
    assert "it cannot be shown again" in made.stderr
    listed = run("keys", "list", "--json")
    (told,) = json.loads(listed.stdout)["keys"]
    assert (told["name"], told["rate"], told["storage_quota_bytes"]) == ("ann", "10/s", 10 * 2**30)
    assert (told["max_items"], told["scopes"], told["revoked"]) == (7, ["jobs"], None)
    table = run("keys", "list").stdout
    assert told["id"] in table
    for text in (listed.stdout, table):
        assert key[-64:] not in text


def test_keys_can_be_made_while_redis_is_away(run: Run) -> None:
    made = run("keys", "create", "--name", "ann", "--json", SPADE_REDIS_URL="redis://127.0.0.1:9/0")
    assert json.loads(made.stdout)["key"].startswith("spade_")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["create", "--name", "a", "--owner", "A/b"], "Error: the owner is 'A/b'; it must be"),
        (["create", "--name", ""], "Error: the name is ''; it must be"),
        (["rotate", "0" * 16], "Error: key '0000000000000000' cannot be used: there is no such key"),
        (["revoke", "nonsense"], "Error: key 'nonsense' cannot be used: there is no such key"),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, arguments: list[str], line: str) -> None:
    done = run("keys", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(line), done.stderr
    assert len(done.stderr.splitlines()) == 1


# Rotation and revocation


def test_a_first_key_closes_a_running_service_and_a_revoked_one_is_of_no_use_within_seconds(
    start: Start, run: Run
) -> None:
    url = start().program.url
    assert status(url) == 200
    key = run("keys", "create", "--name", "ann").stdout.strip()
    assert seconds_until(url, 401, None) < SOON_SECONDS
    assert seconds_until(url, 200, key) < SOON_SECONDS
    identity = key.split("_")[1]

    second = run("keys", "rotate", identity, "--grace", "1h").stdout.strip()
    assert seconds_until(url, 200, second) < SOON_SECONDS
    assert status(url, key) == 200

    third = run("keys", "rotate", identity, "--now").stdout.strip()
    assert seconds_until(url, 401, second) < SOON_SECONDS
    assert status(url, key) == 401
    assert status(url, third) == 200

    assert run("keys", "revoke", identity).returncode == 0
    assert seconds_until(url, 401, third) < SOON_SECONDS
    assert status(url) == 401


def test_a_stream_of_events_ends_when_its_key_is_revoked(start: Start, objects: ObjectStore, run: Run) -> None:
    key = make_key(objects)
    server = start()
    files = {"label_map": ("a.png", beach(), "image/png")}
    url = server.program.url
    sent = httpx.post(f"{url}/v1/jobs", data={"params": '{"model": "landscape"}'}, files=files, headers=bearer(key))
    assert sent.status_code == 202, sent.text
    with httpx.stream("GET", f"{url}/v1/jobs/{sent.json()['id']}/events", headers=bearer(key), timeout=60) as events:
        lines = events.iter_lines()
        assert next(lines).startswith("retry")
        run("keys", "revoke", key.record.id)
        began = time.monotonic()
        for _ in lines:
            pass
    assert time.monotonic() - began < SOON_SECONDS


# The client and its commands


def test_the_commands_send_the_key_of_the_environment_or_of_a_file(
    start: Start, run: Run, objects: ObjectStore, tmp_path: Path
) -> None:
    key = make_key(objects)
    url = start().program.url
    (tmp_path / "key").write_text(f"{key.text}\n")
    assert run("models", "list", "--url", url).returncode == 1
    refused = run("status", "--url", url)
    assert refused.stderr.startswith("Error: An API key is needed: ")
    assert "--key-file, or the key in SPADE_API_KEY" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert run("models", "list", "--url", url, SPADE_API_KEY=key.text).returncode == 0
    by_file = ("--key-file", str(tmp_path / "key"))
    assert run("models", "list", "--url", url, *by_file, SPADE_API_KEY="other").returncode == 0
    (tmp_path / "map.png").write_bytes(beach())
    sent = run(
        "submit", str(tmp_path / "map.png"), "--model", "landscape", "--no-wait", "--url", url, SPADE_API_KEY=key.text
    )
    assert sent.returncode == 0, sent.stderr
    wrong = run("models", "list", "--url", url, SPADE_API_KEY="password")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("Error: the API key is none")
    assert "password" not in wrong.stderr


def test_a_key_goes_to_the_service_only_and_not_where_it_leads(start: Start, objects: ObjectStore) -> None:
    key = make_key(objects)
    with SpadeClient(start().program.url, key=key.text) as client:
        assert client.models().models
        request = client._http.build_request("GET", "/v1/models")
        elsewhere = client._http._redirect_headers(request, httpx.URL("http://127.0.0.1:9/picture"), "GET")
        assert "Authorization" in request.headers
        assert "Authorization" not in elsewhere
    with pytest.raises(ClientError, match="the API key is none"):
        SpadeClient("http://127.0.0.1:9", key="secret")


def test_tls_in_front_is_used_by_the_client_and_known_to_the_api(
    start: Start, objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(objects)
    with serve_tls(start(SPADE_TRUSTED_PROXIES="1").program.url, tmp_path) as url:
        with (
            SpadeClient(url, key=key.text, patience_seconds=1) as client,
            pytest.raises(ClientError, match="certificate"),
        ):
            client.models()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        with SpadeClient(url, key=key.text) as client:
            assert client.models().models
            answer = client._http.get("/v1/models")
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_client_cannot_say_that_it_came_by_tls(start: Start) -> None:
    """gunicorn by itself would believe it of everybody on this machine."""
    answer = httpx.get(f"{start().program.url}/v1//models", headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["Location"].startswith("http://127.0.0.1:")
    assert "Strict-Transport-Security" not in answer.headers


# Secrets


def test_a_secret_is_in_no_log_and_no_answer_wherever_it_was_sent(start: Start, objects: ObjectStore) -> None:
    key = make_key(objects)
    secret = key.text[-64:]
    server = start(SPADE_LOG_LEVEL="debug")
    url, given = server.program.url, []
    with httpx.Client(base_url=url) as client:
        for path in (f"/v1/jobs/{key.text}", f"/v1/jobs?cursor={key.text}", f"/{key.text}", f"/v1/models/{key.text}"):
            given += [client.get(path), client.get(path, headers=bearer(key))]
        given += [
            client.get("/v1/jobs", headers={"Authorization": f"Basic {key.text}"}),
            client.get("/v1/jobs", headers={"X-Request-Id": key.text[-60:], **bearer(key)}),
            client.get("/v1/jobs", params={"key": key.text, "state": key.text}, headers=bearer(key)),
            client.post("/v1/jobs", content=key.text, headers={**bearer(key), "Content-Type": key.text}),
            client.post("/v1/jobs", json={"params": {"model": key.text, key.text: 1}}, headers=bearer(key)),
            client.put(f"/v1/jobs/{key.text}", json={"params": {"model": "landscape"}}, headers=bearer(key)),
            client.post("/v1/jobs", files={"label_map": (key.text, key.text)}, headers=bearer(key)),
            client.post(
                "/v1/jobs", json={"params": {"model": "landscape"}, "label_map_keys": [key.text]}, headers=bearer(key)
            ),
        ]
    for head in (
        f"GET http://user:{key.text}@127.0.0.1/v1/jobs HTTP/1.1\r\nHost: x",
        f"GET /v1/jobs HTTP/1.1\r\nHost: user:{key.text}@x",
        f"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer {key.text}",
        f"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthori{{zation: Bearer {key.text}",
        f"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key.text}\0",
        f"{key.text} /v1/jobs HTTP/1.1\r\nHost: x",
        f"GET /v1/jobs HTTP/{key.text}\r\nHost: x",
        f"GET /{'x' * 5000}{key.text} HTTP/1.1\r\nHost: x",
    ):
        assert secret not in sent_raw(server, head)
    for answer in given:
        assert secret not in answer.text, answer.request.url
        assert secret not in str(answer.headers)
    log = server.log.read_text()
    assert '"level": "debug"' in log
    assert key.record.id in log  # so that it can be told who did what
    assert secret not in log


def sent_raw(server: Child, head: str) -> str:
    """The answer to a request that no client would send."""
    with socket.create_connection(("127.0.0.1", server.program.port), timeout=30) as connection:
        connection.sendall(f"{head}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(2**16), b"")).decode()


def beach() -> bytes:
    return example_label_maps()[0].path.read_bytes()
