"""Spans of requests, and the trace of a picture from the request to the commit; kept in memory."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from support.bench import Bench
from support.jobs import claim_batch, read_spec
from support.traces import Kept, tree
from workers.job_reader import JobReader
from workers.redis_client import RedisClient, connect
from workers.storage import ObjectStore
from workers.traces import Service

TRACE, PARENT = "a" * 32, "b" * 16
SENT = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "mine"}
SUBMISSION = {"auth": {}, "read": {}, "decode": {}, "store": {}, "enqueue": {}, "wake": {}}


@pytest.fixture
def kept() -> Kept:
    return Kept(Service.API)


@pytest.fixture
def client(make_client: Callable[..., FlaskClient], kept: Kept) -> FlaskClient:
    return make_client(traces=kept.traces)


def test_a_submission_goes_on_with_the_trace_of_its_client_and_hands_it_to_the_queue(
    post: Callable[..., object], kept: Kept, services: object, objects: ObjectStore
) -> None:
    job_id = post(headers=SENT).json["id"]
    request = next(span for span in kept.spans() if span.parent_id == PARENT)
    assert (request.name, request.kind, request.trace_id) == ("POST /v1/jobs", "server", TRACE)
    assert request.attributes["http.response.status_code"] == "202"
    assert request.attributes["spade.request.id"] == "mine"
    assert tree(kept.spans(), request.span_id) == SUBMISSION
    enqueue = next(span for span in kept.spans() if span.name == "enqueue")
    assert (enqueue.kind, enqueue.attributes["spade.job.id"]) == ("producer", job_id)
    (item,) = claim_batch(services.job_store).items
    assert (item.traceparent, item.request_id) == (f"00-{TRACE}-{enqueue.span_id}-01", "mine")
    stored = read_spec(objects, job_id)
    assert (stored.traceparent, stored.request_id) == (f"00-{TRACE}-{request.span_id}-01", "mine")


def test_a_request_without_a_trace_begins_one_and_a_malformed_one_does_no_harm(
    post: Callable[..., object], kept: Kept
) -> None:
    for headers in ({}, {"traceparent": "00-nonsense"}):
        assert post(headers=headers).status_code == 202
    begun = [span for span in kept.spans() if span.parent_id == ""]
    assert [span.name for span in begun] == ["POST /v1/jobs"] * 2
    assert begun[0].trace_id != begun[1].trace_id


def test_the_trace_of_a_picture_leads_from_the_request_to_the_commit(
    post: Callable[..., object], kept: Kept, redis_client: RedisClient, objects: ObjectStore
) -> None:
    post(variations=2, seed=1, headers=SENT)
    worker = Kept(Service.WORKER)
    Bench(redis_client, objects, traces=worker.traces).pipeline.drain(seconds=60)
    spans = [*kept.spans(), *worker.spans()]
    assert {span.trace_id for span in spans} == {TRACE}
    item = {stage: {} for stage in ("wait", "decode", "compute", "encode", "upload", "commit")}
    assert tree(spans, PARENT) == {"POST /v1/jobs": {**SUBMISSION, "enqueue": {"item": item}}}
    assert sum(span.name == "item" for span in spans) == 2


def test_probes_leave_no_spans(client: FlaskClient, kept: Kept) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/docs", "/nowhere"):
        client.get(path)
    assert kept.spans() == []


def test_what_the_service_cannot_do_fails_its_span_and_what_it_refuses_only_the_stage(
    make_client: Callable[..., FlaskClient], post: Callable[..., object], kept: Kept
) -> None:
    assert post(label_maps=[b"no PNG"], headers=SENT).status_code == 422
    request, stage = (next(span for span in kept.spans() if span.name == name) for name in ("POST /v1/jobs", "decode"))
    assert request.error is None
    assert (stage.error or "").startswith("FilesRefusedError: ")
    away = Kept(Service.API)
    client = make_client(traces=away.traces, job_reader=JobReader(connect("redis://127.0.0.1:1/0")))
    assert client.get("/v1/jobs/j").status_code == 503
    (failed,) = [span for span in away.spans() if span.name == "GET /v1/jobs/<job_id>"]
    assert failed.error == "503 SERVICE UNAVAILABLE"


def test_a_submission_that_is_sent_again_under_its_id_is_the_same_job(
    post: Callable[..., object], services: object, redis_client: RedisClient
) -> None:
    """Though its request and its trace are others, also when Redis has lost it."""
    assert post(path="/v1/jobs/mine", method="PUT", seed=1, headers=SENT).status_code == 202
    redis_client.flushall()
    again = {**SENT, "X-Request-Id": "another"}
    assert post(path="/v1/jobs/mine", method="PUT", seed=1, headers=again).status_code == 202
    assert [item.request_id for item in claim_batch(services.job_store).items] == ["another"]
