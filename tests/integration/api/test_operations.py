"""What operators are shown: /ops, its summary, and charts from Prometheus or from the process's own memory."""

import dataclasses
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import parse_qs, urlparse

import pytest

from api.charts import ProcessCharts, PrometheusCharts
from support.jobs import claim_batch
from support.keys import bearer, make_key
from support.problems import assert_problem
from workers.figures import FailureReason
from workers.job_reader import JobReader
from workers.operations import OperationsReader
from workers.presence import PresenceWriter, WorkerCounts
from workers.redis_client import connect

NOBODY = "127.0.0.1:9"


def test_the_summary_tells_queues_workers_owners_jobs_and_failures(client, post, work, services, redis_client):
    done = post(variations=2).json["id"]
    work()
    failed = post(seed=9).json["id"]
    batch = claim_batch(services.job_store, items=1)
    services.job_store.fail(batch.items, reason=FailureReason.OUT_OF_MEMORY, detail="too large")
    waiting = post(priority="bulk", seed=10).json["id"]
    PresenceWriter(
        redis_client,
        worker="w",
        device=lambda: "cuda",
        engine="local",
        models=lambda: ("landscape",),
        counts=lambda: WorkerCounts(pictures=7),
    ).say()
    told = client.get("/ops/summary").json
    (queue,) = told["queues"]
    assert (queue["model"], queue["succeeded"], queue["failed"]) == ("landscape", 2, 1)
    assert queue["waiting"] == {"interactive": 0, "normal": 0, "bulk": 1}
    assert queue["oldest_seconds"]["bulk"] > 0
    assert queue["pixels_per_second"] > 0
    assert (told["open_items"], told["held_items"], told["dead_letters"]) == (1, 0, 0)
    (worker,) = told["workers"]
    assert (worker["name"], worker["state"], worker["device"], worker["pictures"]) == ("w", "idle", "cuda", 7)
    (owner,) = told["owners"]
    assert (owner["owner"], owner["pictures"], owner["open_items"]) == ("local", 2, 1)
    assert [(job["id"], job["state"]) for job in told["jobs"]] == [
        (waiting, "queued"),
        (failed, "failed"),
        (done, "succeeded"),
    ]
    assert [(f["job"], f["index"], f["reason"], f["detail"]) for f in told["failures"]] == [
        (failed, 0, "out-of-memory", "too large")
    ]
    assert told["memory"]["used_bytes"] > 0


def test_nothing_of_what_a_job_is_of_is_told(client, post):
    post(labels={"project": "secret-island"})
    assert "secret-island" not in client.get("/ops/summary").get_data(as_text=True)


def test_details_of_failures_may_tell_of_jobs_and_are_for_admins(client, post, services, objects):
    post()
    batch = claim_batch(services.job_store, items=1)
    services.job_store.fail(batch.items, reason=FailureReason.INPUT_UNREADABLE, detail="inputs/ann/secret-island.png")
    keys = {scope: make_key(objects, scope) for scope in ("metrics", "admin")}
    told = {scope: client.get("/ops/summary", headers=bearer(key)).json["failures"][0] for scope, key in keys.items()}
    assert {scope: failure["detail"] for scope, failure in told.items()} == {
        "metrics": None,
        "admin": "inputs/ann/secret-island.png",
    }
    assert told["metrics"]["reason"] == "input-unreadable"


@pytest.mark.parametrize("path", ["/ops/summary", "/ops/charts"])
def test_figures_need_the_scope_metrics_and_the_page_needs_none(client, objects, path):
    metrics, jobs, admin = (make_key(objects, scope) for scope in ("metrics", "jobs", "admin"))
    assert client.get(path, headers=bearer(metrics)).status_code == 200
    assert client.get(path, headers=bearer(admin)).status_code == 200
    assert_problem(client.get(path, headers=bearer(jobs)), 403, "scope-missing")
    assert_problem(client.get(path), 401, "key-required")
    for open_path in ("/ops", "/ops/ops.js", "/ops/charts.js", "/ops/ops.css"):
        assert client.get(open_path).status_code == 200
    assert client.get("/ops/nope").status_code == 404


def test_the_page_may_load_from_this_service_only(client):
    policy = client.get("/ops").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    page = client.get("/ops").get_data(as_text=True)
    assert "http" not in page
    assert "<script>" not in page
    assert "style=" not in page


def test_without_redis_the_summary_is_a_problem_and_charts_keep_what_they_had(make_client):
    away = connect(f"redis://{NOBODY}/0")
    charts = ProcessCharts(JobReader(away), OperationsReader(away))
    charts.look()
    client = make_client(watching_reader=JobReader(away), operations=OperationsReader(away), charts=charts)
    assert_problem(client.get("/ops/summary"), 503, "queue-unavailable")
    answer = client.get("/ops/charts")
    assert answer.status_code == 200
    assert all(not chart["series"] for chart in answer.json["charts"])


def test_the_process_remembers_what_the_job_store_told(make_client, post, work, services):
    charts = ProcessCharts(services.job_reader, services.operations)
    client = make_client(charts=charts)
    charts.look()
    post(variations=3)
    charts.look()
    work()
    charts.look()
    answer = client.get("/ops/charts").json
    assert answer["source"] == "process"
    drawn = {chart["name"]: chart["series"] for chart in answer["charts"]}
    (waiting,) = drawn["waiting"]
    assert (waiting["label"], [value for _, value in waiting["points"]]) == ("normal", [0, 3, 0])
    (pictures,) = drawn["pictures"]
    assert pictures["label"] == "landscape"
    assert [value > 0 for _, value in pictures["points"]] == [False, True]
    times = [at for at, _ in drawn["waiting"][0]["points"]]
    assert times == sorted(times)


def test_charts_come_from_prometheus_where_there_is_one(make_client):
    asked = []
    with prometheus(
        asked, {"metric": {"model": "landscape"}, "values": [[1.0, "2.5"], [2.0, "NaN"], [3.0, "+Inf"]]}
    ) as url:
        answer = make_client(charts=PrometheusCharts(url)).get("/ops/charts").json
    assert (answer["source"], answer["error"]) == ("prometheus", None)
    drawn = {chart["name"]: chart["series"] for chart in answer["charts"]}
    assert drawn["pictures"] == [{"label": "landscape", "points": [[1.0, 2.5]]}]
    assert set(drawn) == {"pictures", "waiting", "oldest", "busy", "failed", "seconds"}
    spans = {float(one["end"][0]) - float(one["start"][0]) for one in asked}
    assert spans == {3600}
    assert {float(one["end"][0]) % 20 for one in asked} == {0}


def test_a_prometheus_that_does_not_answer_is_told(make_client):
    answer = make_client(charts=PrometheusCharts(f"http://{NOBODY}")).get("/ops/charts")
    assert answer.status_code == 200
    assert answer.json["charts"] == []
    assert answer.json["error"].startswith("ConnectError: ")


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        '{"data": 3}',
        '{"data": {"result": [{}]}}',
        '{"data": {"result": [{"metric": [], "values": []}]}}',
        "[" * 5000,
    ],
)
def test_a_prometheus_that_answers_nonsense_is_told(make_client, text):
    with prometheus([], text=text) as url:
        answer = make_client(charts=PrometheusCharts(url)).get("/ops/charts")
    assert answer.status_code == 200
    assert answer.json["error"]


def test_a_prometheus_that_says_nothing_keeps_one_thread_and_gives_others_the_last_answer(make_client, monkeypatch):
    monkeypatch.setattr("api.charts._ANSWER_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = make_client(charts=PrometheusCharts(f"http://127.0.0.1:{silent.getsockname()[1]}"))
        with ThreadPoolExecutor(8) as pool:
            began = time.monotonic()
            errors = list(pool.map(lambda _: client.get("/ops/charts").json["error"], range(8)))
    assert time.monotonic() - began < 4
    assert errors.count("it is being asked just now") == 7
    assert [error for error in errors if error.startswith("ReadTimeout")]


def test_what_prometheus_answered_is_shown_for_some_seconds(make_client):
    asked = []
    with prometheus(asked) as url:
        client = make_client(charts=PrometheusCharts(url))
        for _ in range(3):
            assert client.get("/ops/charts").json["error"] is None
    assert len(asked) == 6


@contextmanager
def prometheus(asked: list, *rows: dict, text: str | None = None) -> Iterator[str]:
    """A server that answers every query with `rows`; the real one is asked by tests/e2e/test_ops_page.py."""
    body = (text or json.dumps({"status": "success", "data": {"result": list(rows)}})).encode()

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(parse_qs(urlparse(self.path).query))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_settings_choose_where_charts_come_from(settings, services):
    from api.services import connect_services

    assert isinstance(services.charts, ProcessCharts)
    told = dataclasses.replace(settings, prometheus_url=f"http://{NOBODY}")
    assert isinstance(connect_services(told).charts, PrometheusCharts)
