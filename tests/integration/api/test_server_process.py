"""The entry module under gunicorn, as it is deployed: several processes, one metrics page, JSON lines."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.services import MAX_ARCHIVES
from deploy import gunicorn_config
from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import ApiServer
from support.waiting import wait_until


def program(folder, service_environment, *, processes):
    return ApiServer(
        port=free_port(),
        metrics_folder=folder / "metrics",
        service={**service_environment, "SPADE_MAX_REQUEST_BYTES": str(2**20)},
        processes=processes,
    )


@pytest.fixture
def start(tmp_path, service_environment, redis_client, objects):  # noqa: ARG001 - both empty their server
    with ExitStack() as children:

        def start(*, processes: int) -> Child:
            api = program(tmp_path, service_environment, processes=processes)
            return children.enter_context(Child(api, log=tmp_path / "api.log"))

        yield start


@pytest.fixture
def server(start):
    return start(processes=2)


@pytest.fixture(scope="module")
def lasting_server(tmp_path_factory, service_environment):
    """For tests that leave no trace in it."""
    folder = tmp_path_factory.mktemp("api")
    with Child(program(folder, service_environment, processes=2), log=folder / "api.log") as server:
        yield server


def test_the_processes_count_together_and_log_json_lines(server, label_map):
    url = server.program.url
    requests = 30
    for _ in range(requests):
        with httpx.Client(base_url=url) as client:  # a connection each, so that both processes answer some
            assert client.get("/livez").status_code == 200
    with httpx.Client(base_url=url) as client:
        files = {"label_map": ("a.png", label_map, "image/png")}
        response = client.post("/v1/jobs", data={"params": '{"model": "landscape"}'}, files=files)
        assert response.status_code == 202
        page = client.get("/metrics").text
    counted = {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "spade_api_requests_total"
    }
    assert counted[("method", "GET"), ("route", "/livez"), ("status", "200")] == requests

    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    request_lines = [line for line in lines if line["logger"] == "api.requests"]
    assert {"request_id", "method", "path", "status", "seconds"} <= set(request_lines[0])
    assert any(line["event"] == "job accepted" and line["job"] == response.json()["id"] for line in lines)


@pytest.mark.parametrize(
    ("content_type", "detail"),
    [
        ("application/json", "JSON may have 1 MiB; send label maps as multipart/form-data, or several jobs"),
        ("multipart/form-data; boundary=x", "a request may have 1 MiB and 2008 parts; send several jobs"),
    ],
)
def test_a_body_of_unannounced_length_is_bounded_too(lasting_server, content_type, detail):
    pieces = (b" " * 2**16 for _ in range(40))
    response = httpx.post(
        f"{lasting_server.program.url}/v1/jobs", content=pieces, headers={"Content-Type": content_type}
    )
    assert response.status_code == 413
    assert response.json()["detail"] == detail


@pytest.mark.parametrize(
    ("head", "status", "slug"),
    [
        ("GET\r\n\r\n", 400, "malformed-head"),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, "malformed-head"),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", 400, "malformed-head"),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "malformed-head"),
        ("POST / HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n", 417, "expectation-failed"),
        (f"GET /{'a' * 5000} HTTP/1.1\r\n\r\n", 414, "path-too-long"),
        ("GET / HTTP/1.1\r\n" + "A: b\r\n" * 200 + "\r\n", 431, "head-too-large"),
    ],
)
def test_a_head_that_cannot_be_read_is_answered_with_a_problem(lasting_server, head, status, slug):
    with connected(lasting_server) as connection:
        connection.sendall(head.encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(2**16), b""))
    told, body = answer.split(b"\r\n\r\n", 1)
    problem = json.loads(body)
    assert told.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Content-Type: application/problem+json" in told
    assert problem["type"] == f"urn:spade-serving:problem:{slug}"
    assert problem["status"] == status
    assert problem["request_id"].encode() in told


def test_a_body_with_a_broken_length_is_malformed(lasting_server):
    lines = ["POST /v1/jobs HTTP/1.1", "Host: x", "Content-Type: application/json", "Transfer-Encoding: chunked"]
    with connected(lasting_server) as connection:
        connection.sendall("\r\n".join([*lines, "", "ZZ", ""]).encode())
        answer = b"".join(iter(lambda: connection.recv(2**16), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"malformed-transfer" in answer


@contextmanager
def connected(server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.program.port), timeout=60) as connection:
        yield connection


SILENT = b""
HALF_A_HEAD = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: "
HALF_A_BODY = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"


def test_clients_that_send_no_more_do_not_keep_the_threads(start):
    server = start(processes=1)
    with ExitStack() as clients:
        slow = []
        for sent in (SILENT, HALF_A_HEAD, HALF_A_BODY):
            for _ in range(gunicorn_config.threads):  # as many as would take all of them
                slow.append(clients.enter_context(connected(server)))
                slow[-1].sendall(sent)
        assert httpx.get(f"{server.program.url}/livez", timeout=60).status_code == 200
        for connection in slow:
            while connection.recv(2**16):  # what is left of an answer, and then the end
                pass


def test_clients_that_do_not_close_what_is_answered_keep_nobody_waiting(start):
    """gunicorn waits two seconds for each, one after the other, in the thread that accepts connections."""
    server = start(processes=1)
    with ExitStack() as clients:
        for _ in range(5):
            idle = clients.enter_context(connected(server))
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert idle.recv(16).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        assert httpx.get(f"{server.program.url}/livez", timeout=60).status_code == 200
        assert time.monotonic() - began < 5


def test_clients_that_leave_an_archive_or_do_not_take_it_keep_nothing(start, large_job):
    server = start(processes=1)
    path = f"/v1/jobs/{large_job}/archive"
    with ExitStack() as clients:
        for _ in range(MAX_ARCHIVES):
            idle = clients.enter_context(connected(server))
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idle.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert idle.recv(16).startswith(b"HTTP/1.1 200")
        assert httpx.get(server.program.url + path).json()["type"].endswith(":busy")
    wait_until(lambda: httpx.get(server.program.url + path).status_code == 200, "an archive", seconds=30)


def test_a_process_that_replaces_a_killed_one_goes_on_with_its_counters(server):
    # New processes take a while to load on a busy machine; meanwhile connections wait for one that accepts them.
    def get(path: str) -> httpx.Response:
        return httpx.get(f"{server.program.url}{path}", timeout=60)

    def answered() -> float:
        page = get("/metrics").text
        samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
        route = {"method": "GET", "route": "/livez", "status": "200"}
        return sum(s.value for s in samples if s.name == "spade_api_requests_total" and s.labels == route)

    for _ in range(3):
        for _ in range(5):
            assert get("/livez").status_code == 200
        processes = psutil.Process(server.pid).children()
        for process in processes:
            process.kill()
        wait_until(
            lambda killed=processes: len(set(psutil.Process(server.pid).children()) - set(killed)) == 2,
            "two new processes",
        )
        wait_until(lambda: get("/readyz").status_code == 200, "an answer")
    assert answered() == 15
    files = {path.name for path in server.program.metrics_folder.iterdir()}
    assert files == {f"{kind}_{number}.db" for kind in ("counter", "histogram") for number in (0, 1)}


def test_importing_the_api_loads_no_torch():
    code = "import sys, api.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0


def test_the_processes_hand_back_what_large_requests_took(lasting_server):
    told = [process.environ() for process in psutil.Process(lasting_server.pid).children()]
    assert [one.get("MALLOC_ARENA_MAX") for one in told] == ["2", "2"]
