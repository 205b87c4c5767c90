"""The entry module under gunicorn, as it is deployed: several processes, one metrics page, JSON lines."""

import json
import subprocess
import sys

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import ApiServer


@pytest.fixture
def server(tmp_path, service_environment, redis_client, objects):  # noqa: ARG001 - both empty their server
    program = ApiServer(
        port=free_port(),
        metrics_folder=tmp_path / "metrics",
        service={**service_environment, "SPADE_MAX_REQUEST_BYTES": str(2**20)},
        processes=2,
    )
    with Child(program, log=tmp_path / "api.log") as child:
        yield child


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
    assert "spade_queue_up 1.0" in page

    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    request_lines = [line for line in lines if line["logger"] == "api.requests"]
    assert {"request_id", "method", "path", "status", "seconds"} <= set(request_lines[0])
    assert any(line["event"] == "job accepted" and line["job"] == response.json()["id"] for line in lines)


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_a_body_of_unannounced_length_is_bounded_too(server, content_type):
    pieces = (b" " * 2**16 for _ in range(40))
    response = httpx.post(f"{server.program.url}/v1/jobs", content=pieces, headers={"Content-Type": content_type})
    assert response.status_code == 413
    assert response.json()["detail"] == "A request may have 1 MiB and 2008 parts; send several jobs."


def test_importing_the_api_loads_no_torch():
    code = "import sys, api.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0
