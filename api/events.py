"""What happens to a job, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Self

from flask import Response, g, request
from flask_openapi.blueprint import APIBlueprint
from pydantic import BaseModel, Field

from api.access import is_still_let_in
from api.callers import current_caller, visible_owner
from api.documents import file_response, plain_response, problem_responses
from api.errors import BusyError
from api.problems import describe
from api.representation import JOBS_PATH, represent_item, summarize
from api.services import Services, current_services
from workers.errors import ServiceError
from workers.messages import JobView, State

events: Final = APIBlueprint("events", __name__, abp_tags=[{"name": "jobs"}])

CONTENT_TYPE: Final = "text/event-stream"
PAGE_ITEMS: Final = 100
RETRY_MILLISECONDS: Final = 1000
PAUSE_SECONDS: Final = 0.1
"""Between two looks at the job, so that one that changes all the time is told of in few events."""
LOOK_SECONDS: Final = 1.0
"""Without news: for those that get lost, and for the end of the process."""
HEARTBEAT_SECONDS: Final = 5.0
"""So long a client that is gone keeps its place, once or twice."""
MAX_STREAM_SECONDS: Final = 600.0
"""Then the client asks again, and others get a turn."""
NO_STATE: Final = "unknown"
ID_PATTERN: Final = re.compile(rf"(\d{{1,15}})-(\d{{1,9}})-({'|'.join(State)}|{NO_STATE})", re.ASCII)


class EventsPath(BaseModel):
    """Of which job."""

    job_id: str


class EventsHeader(BaseModel):
    """Where an interrupted stream goes on."""

    last_event_id: Annotated[
        str | None,
        Field(alias="Last-Event-ID", description="`id` of the last event that arrived; as EventSource sends it"),
    ] = None


@dataclass(slots=True, kw_only=True)
class Told:
    """What a client knows of a job; as text it is the id of the last event that it got."""

    changes: int = 0
    settled: int = 0
    state: State | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """What a client knows that sends this id; an id that is none of ours means nothing."""
        match = ID_PATTERN.fullmatch(text)
        if match is None:
            return cls()
        state = None if match[3] == NO_STATE else State(match[3])
        return cls(changes=int(match[1]), settled=int(match[2]), state=state)

    def __str__(self) -> str:
        return f"{self.changes}-{self.settled}-{self.state or NO_STATE}"


@events.get(
    f"{JOBS_PATH}/<job_id>/events",
    operation_id="stream_events",
    responses={
        "200": file_response("The events, each with an `id`", CONTENT_TYPE),
        "204": plain_response("Everything has been told up to `Last-Event-ID`, which was that of `end`"),
        **problem_responses(404, 410, 422, 503),
    },
)
def stream_events(path: EventsPath, header: EventsHeader) -> Response:
    """Follow a job by server-sent events

    `state` (the job's state is another), `progress` (its counts are others) and `end` carry a `JobSummary`, `item` (one
    has come to its final state) an `Item`; every item is told once. After `unavailable`, which carries a `Problem`, and
    whenever the stream breaks off without `end`, ask again with `Last-Event-ID`; EventSource does so by itself. Lines
    with a colon in front are there to keep the connection alive. A service with too many streams answers 503.
    """
    services = current_services()
    job = services.job_reader.job(path.job_id, owner=visible_owner())
    told = Told.read(header.last_event_id or "")
    if told.state is not None and told.state.is_final:
        return Response(status=204)
    if services.stopping.is_set() or not services.stream_places.acquire(blocking=False):
        raise BusyError("as many streams as this process keeps at a time are open; try again shortly, or poll the job")
    stream = _Stream(job, told, services, instance=request.path, request_id=g.request_id)
    response = Response(stream.text(), content_type=CONTENT_TYPE, headers={"X-Accel-Buffering": "no"})
    response.call_on_close(services.stream_places.release)
    return response


class _Stream:
    """One client's stream. It outlives the request's context, so it is given what it needs of it."""

    def __init__(self, job: JobView, told: Told, services: Services, *, instance: str, request_id: str) -> None:
        self._job = job
        self._told = told
        self._reader = services.job_reader
        self._stopping = services.stopping
        self._instance = instance
        self._request_id = request_id
        self._caller = current_caller()
        self._keys = services.keys

    def text(self) -> Iterator[str]:
        """The stream; ends with the job, after a time, when a part that it needs is away, or with the process."""
        yield f"retry: {RETRY_MILLISECONDS}\n\n"
        try:
            yield from self._follow()
        except ServiceError as error:
            problem = describe(error, instance=self._instance, request_id=self._request_id)
            yield f"event: unavailable\ndata: {json.dumps(problem)}\n\n"

    def _follow(self) -> Iterator[str]:
        ends = time.monotonic() + MAX_STREAM_SECONDS
        sent = time.monotonic()
        with self._reader.listening(self._job.id) as changed:
            while not self._stopping.wait(PAUSE_SECONDS) and time.monotonic() < ends and self._is_let_in():
                self._job = self._reader.job(self._job.id, owner=self._job.owner)
                for event in self._news():
                    yield event
                    sent = time.monotonic()
                if self._job.state.is_final:
                    return
                if time.monotonic() - sent > HEARTBEAT_SECONDS:
                    yield ":\n\n"
                    sent = time.monotonic()
                changed(LOOK_SECONDS)

    def _is_let_in(self) -> bool:
        return is_still_let_in(self._caller, self._keys)

    def _news(self) -> Iterator[str]:
        """What the client does not know yet of the job as it was read."""
        job, told = self._job, self._told
        if job.changes == told.changes:
            return
        if job.state is not told.state and not job.state.is_final:
            told.state = job.state
            yield self._event("state", summarize(job))
        while items := self._reader.settled_items(job, start=told.settled, count=PAGE_ITEMS):
            for item in items:
                told.settled += 1
                yield self._event("item", represent_item(job.id, item))
        told.changes, told.state = job.changes, job.state
        yield self._event("end" if job.state.is_final else "progress", summarize(job))

    def _event(self, name: str, data: BaseModel) -> str:
        return f"id: {self._told}\nevent: {name}\ndata: {data.model_dump_json()}\n\n"
