"""Jobs over HTTP: submit, read, list, cancel."""

import logging
from collections import Counter
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from ulid import ULID

from api.answers import answer_json
from api.bodies import Body, JobBody, read_job_body
from api.callers import current_caller, current_owner, visible_owner
from api.documents import json_response, multipart_or_json, plain_response, problem_responses
from api.errors import KeyRefusedError
from api.idempotency import KEY_HEADER, KEY_PATTERN, keyed_job_id, submit_once, submit_with_key
from api.pages import ListQuery, read_page
from api.parameters import JobParameters
from api.preparation import prepare
from api.representation import (
    JOBS_PATH,
    PAGE_ITEMS,
    CanceledItem,
    Cancellation,
    Job,
    JobPage,
    job_path,
    represent,
    represent_accepted,
    summarize,
)
from api.services import current_services
from api.submission import submit
from api.timing import times
from api.waiting import preferred_wait, wait_for
from workers.errors import QueueUnavailableError, StorageUnavailableError
from workers.figures import QueuePosition
from workers.messages import CancelOutcome, JobSpec, JobView, State

jobs: Final = APIBlueprint("jobs", __name__, abp_tags=[{"name": "jobs"}])

_log = logging.getLogger(__name__)

SUBMISSION: Final[dict[str, Any]] = {
    "request_body": multipart_or_json("JobForm", JobBody),
    "responses": {
        "200": json_response("The job, finished in the time that `Prefer: wait=N` gave, or submitted before", Job),
        "202": json_response("The job is queued", Job, Location="Where to ask for it"),
        **problem_responses(400, 403, 409, 410, 413, 415, 422, 429, 503),
    },
}


class JobPath(BaseModel):
    """Which job."""

    job_id: str


class NewJobPath(BaseModel):
    """Which job is to be, or is already."""

    job_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="An id of one's own")]


class PreferHeader(BaseModel):
    """How long the client would wait (RFC 7240)."""

    prefer: str | None = Field(
        default=None, description="`wait=N`: answer with the finished job if that takes no more than N seconds (60)"
    )


class SubmissionHeader(PreferHeader):
    """How a submission is to be made and answered."""

    idempotency_key: Annotated[
        Annotated[str, WithJsonSchema({"type": "string", "pattern": KEY_PATTERN})] | None,
        Field(
            alias=KEY_HEADER,
            description="1 to 255 printable characters, anew for each job. The same request with the same key is "
            "answered with the job that it made before, as long as that is kept, and afterwards with 410. Another "
            "request with it is answered with 422, and one that comes while the first is still being stored with 409.",
        ),
    ] = None


class JobQuery(BaseModel):
    """How long the client would wait."""

    model_config = ConfigDict(extra="forbid")

    wait: float = Field(
        default=0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds to wait, at most 60, for the end of the job, or, given `If-None-Match`, for any change",
    )
    items_after: int = Field(default=-1, ge=-1, description="Answer with the items after this index; see `items_next`")


@jobs.post(JOBS_PATH, operation_id="submit_job", **SUBMISSION)
def submit_job(header: SubmissionHeader) -> Response:
    """Submit a job

    All label maps are checked first; if one cannot be used, nothing is stored or queued and every fault is listed.
    With an `Idempotency-Key` it is safe to repeat; without one, each request makes a job.

    A bulk job, whose label maps are those under a `prefix` of the bucket, is accepted when they have been listed: they
    may be 50000 or more, as the service is set. What is under the prefix later is not part of the job. The maps stay
    where they are, so leave them there until the job has ended. Each is checked when its turn comes: one that cannot be
    used fails as `invalid-label-map`, with the ids, counts and boxes in its `detail`, and the others are made all the
    same. The whole job has to fit into the queue; one that never could is refused with 422, which says how many would.
    """
    services, caller = current_services(), current_caller()
    if header.idempotency_key is None:
        body = _read_body()
        with times().stage("decode"):
            job = prepare(body, services=services, owner=caller.owner, job_id=str(ULID()))
        submit(job, services, limits=caller.limits)
        return _answer_queued(job.spec, header)
    job_id = keyed_job_id(caller.owner, header.idempotency_key)
    spec = submit_with_key(_read_body(), job_id, services=services, caller=caller)
    return _answer_again(job_id, header, open_status=202) if spec is None else _answer_queued(spec, header)


@jobs.put(f"{JOBS_PATH}/<job_id>", operation_id="submit_job_with_id", **SUBMISSION)
def submit_job_with_id(path: NewJobPath, header: PreferHeader) -> Response:
    """Submit a job under an id of one's own

    Safe to repeat: the same request again answers 200 with the job as it is, another one with the same id 409.
    """
    spec = submit_once(_read_body(), path.job_id, services=current_services(), caller=current_caller())
    return _answer_again(path.job_id, header, open_status=200) if spec is None else _answer_queued(spec, header)


@jobs.get(
    JOBS_PATH,
    operation_id="list_jobs",
    responses={"200": json_response("A page of jobs", JobPage), **problem_responses(422, 503)},
)
def list_jobs(query: ListQuery) -> Response:
    """List one's own jobs, newest first

    Also with a key that may read everybody's. `next` leads to the page after. A page may hold fewer jobs than `limit`,
    even none, and still have a next one.
    """
    page = read_page(current_services().job_reader, current_owner(), query)
    arguments = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
    following = page.cursor and f"{JOBS_PATH}?{urlencode([*arguments, ('cursor', page.cursor)])}"
    return answer_json(JobPage(jobs=[summarize(job) for job in page.jobs], next=following))


@jobs.get(
    f"{JOBS_PATH}/<job_id>",
    operation_id="get_job",
    responses={
        "200": json_response("The job", Job, ETag="For If-None-Match"),
        "304": plain_response("Not changed since `If-None-Match`", ETag="As sent"),
        **problem_responses(404, 410, 422, 503),
    },
)
def get_job(path: JobPath, query: JobQuery) -> Response:
    """Read a job

    State, counts, items with their pictures, place in the queue. At most 1000 items at a time: `items_next` leads to
    the others.
    """
    known = request.if_none_match

    def enough(job: JobView) -> bool:
        return job.state.is_final or (bool(known) and not known.contains_weak(_tag(job, _position(job))))

    job = wait_for(current_services(), path.job_id, owner=visible_owner(), seconds=query.wait, enough=enough)
    return _answer(job, status=200, conditional=True, after=query.items_after)


@jobs.post(
    f"{JOBS_PATH}/<job_id>/cancel",
    operation_id="cancel_job",
    responses={"200": json_response("What happened to each item", Cancellation), **problem_responses(404, 410, 503)},
)
def cancel_job(path: JobPath) -> Response:
    """Cancel what can be canceled

    Per item: `dequeued` before it began, `removed_from_batch` before it was computed, `discarded` when its picture will
    not be published, or `too_late`. All are counted in `outcomes`; `items` has the first 1000.
    """
    services = current_services()
    job = services.job_reader.job(path.job_id, owner=visible_owner())  # tells an expired job from an unknown one
    outcomes, _ = services.job_store.cancel(job.id, owner=job.owner)
    if job.filled < job.total:
        services.filler.fill(job.id)  # as canceled, so that nothing is left to be done
    if not {CancelOutcome.REMOVED_FROM_BATCH, CancelOutcome.DISCARDED}.isdisjoint(outcomes):
        services.wake_up.send(job.model)  # identical items may have waited for one of these
    # Before it is answered, so that it holds even if Redis loses everything; also where the job was ended by an earlier
    # call that was killed, or by a worker that brought in its last items.
    services.recorder.record([job.id])
    job = services.job_reader.job(job.id, owner=job.owner)
    items = [CanceledItem(index=index, outcome=outcome) for index, outcome in enumerate(outcomes[:PAGE_ITEMS])]
    return answer_json(Cancellation(job=summarize(job), outcomes=Counter(outcomes), items=items))


def _read_body() -> Body[JobParameters]:
    services = current_services()
    with times().stage("read"):
        return read_job_body(
            request,
            objects=services.object_store,
            max_files=services.settings.max_items_per_job,
            input_prefix=current_caller().input_prefix,
        )


def _answer_queued(spec: JobSpec, header: PreferHeader) -> Response:
    """202 with the job, or 200 if the client wanted to wait and the job ended in that time."""
    try:
        return _answer_waited(spec.id, header, open_status=202, end_status=202)
    except (QueueUnavailableError, StorageUnavailableError, KeyRefusedError) as error:
        # It is accepted all the same; told otherwise, the client would send it again.
        _log.warning("accepted job not read", extra={"job": spec.id, "error": str(error)})
        response = answer_json(represent_accepted(spec), status=202)
        response.headers["Location"] = job_path(spec.id)
        return response


def _answer_again(job_id: str, header: PreferHeader, *, open_status: int) -> Response:
    """The job that the request made when it was sent before."""
    return _answer_waited(job_id, header, open_status=open_status, end_status=200)


def _answer_waited(job_id: str, header: PreferHeader, *, open_status: int, end_status: int) -> Response:
    """The job after the time that the client would wait, or as soon as it has ended; then 200 if it was to wait."""
    seconds = preferred_wait(header.prefer or "")
    job = wait_for(
        current_services(), job_id, owner=current_owner(), seconds=seconds, enough=lambda job: job.state.is_final
    )
    waited = seconds > 0 and job.state.is_final
    response = _answer(job, status=200 if waited else end_status if job.state.is_final else open_status)
    response.headers["Location"] = job_path(job_id)
    if waited:
        response.headers["Preference-Applied"] = f"wait={seconds:g}"
    return response


def _answer(job: JobView, *, status: int, conditional: bool = False, after: int = -1) -> Response:
    """The job in full, or 304 when the request is conditional and the client has it."""
    position = _position(job)
    headers = {"ETag": f'W/"{_tag(job, position)}"', "Cache-Control": "private, no-cache"}
    if conditional and request.if_none_match.contains_weak(_tag(job, position)):
        return Response(status=304, headers=headers)
    items = current_services().job_reader.items(job, start=after + 1, count=PAGE_ITEMS)
    if job.state.is_final:
        times().tell_pictures(items)
    return answer_json(represent(job, items, position, after=after), status=status, headers=headers)


def _position(job: JobView) -> QueuePosition | None:
    return current_services().job_reader.position(job) if job.counts[State.QUEUED] else None


def _tag(job: JobView, position: QueuePosition | None) -> str:
    """Changes with everything in a job but its estimate, which changes all the time."""
    return f"{job.changes}" if position is None else f"{job.changes}.{position.position}"
