"""A small client of the HTTP API, typed by the same models that the API answers with.

with SpadeClient("http://127.0.0.1:8080") as client:
    job = client.submit([Path("map.png")], JobParameters(model="landscape", seed=1))
    job = client.follow(job.id)
    picture = client.picture(job.items[0])
"""

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
from httpx_sse import ServerSentEvent, SSEError, connect_sse
from pydantic import ValidationError
from ulid import ULID

from api.client_answers import checked, is_for_later, parse, retry_after
from api.client_errors import ClientError
from api.models import Model, ModelList
from api.parameters import JobParameters
from api.problems import Problem
from api.representation import Cancellation, Item, Job, JobPage, JobSummary
from api.summary import OpsSummary
from workers.keys import split_key

_FOLLOW_SECONDS: Final = 1
_FOLLOW_LEAST_SECONDS: Final = 0.25
_REPEAT_SECONDS: Final = 0.5
_LISTEN_AGAIN_SECONDS: Final = 5.0
_SILENCE_SECONDS: Final = 20.0
"""More than a stream of events is ever silent."""
_LOOPBACK: Final = ("127.0.0.1", "[::1]", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that happened to a job: `state`, `progress` and `end` have the job as it then is, `item` an item."""

    id: str
    kind: str
    job: JobSummary | None = None
    item: Item | None = None


class SpadeClient:
    """The service at `url`. Use it as a context manager, or close it. Every method raises `ClientError`.

    A request that is answered with "not now" (429, 503, or 409 with a time) is repeated when the service said to, and
    any request when the connection is lost, for at most `patience_seconds` a call; nothing is done twice by that. A
    service that the first request cannot reach at all is an error at once.
    """

    def __init__(
        self, url: str, *, key: str | None = None, timeout_seconds: float = 60.0, patience_seconds: float = 90.0
    ) -> None:
        """`key` is an API key, for a service that asks for one. It goes to the service only, not where that leads to.

        The patience outlasts two submissions in a row that are killed with their API, each of which blocks the job's id
        for 30 seconds.

        Certificates are judged by those of `SSL_CERT_FILE`, else by the public ones.
        """
        if key is not None and split_key(key) is None:
            raise ClientError("the API key is none: it must be like spade_..., as `spade-serve keys create` printed it")
        self._url = url.rstrip("/")
        self._patience_seconds = patience_seconds
        self._was_reached = False
        self._stream_timeout = httpx.Timeout(timeout_seconds, read=_SILENCE_SECONDS)
        self._http = httpx.Client(
            base_url=self._url,
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
            timeout=timeout_seconds,
            follow_redirects=True,
            # A proxy of the environment cannot reach this machine's own addresses.
            mounts={f"all://{host}": None for host in _LOOPBACK},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(
        self,
        label_maps: Sequence[Path],
        parameters: JobParameters,
        *,
        instance_maps: Sequence[Path] = (),
        style_image: Path | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Send label maps as one job; with `instance_maps`, one for each label map, in the same order.

        Instead of many label maps there may be one ZIP of them, which holds the instance maps too. `style_image` is a
        picture whose style the pictures take. Calls with the same `idempotency_key` make one job; without one, each
        call makes a job.
        """
        method, path, headers = _once(idempotency_key)
        params = parameters.model_dump_json(exclude_defaults=True)
        style_images = () if style_image is None else (style_image,)

        def send() -> httpx.Response:
            with ExitStack() as files:
                parts = [
                    (part, (path.name, files.enter_context(path.open("rb"))))
                    for part, paths in (
                        *(("label_map", label_maps), ("instance_map", instance_maps)),
                        ("style_image", style_images),
                    )
                    for path in paths
                ]
                return self._http.request(method, path, data={"params": params}, files=parts, headers=headers)

        return parse(self._send(send), Job)

    def submit_prefix(
        self,
        prefix: str,
        parameters: JobParameters,
        *,
        style_image: Path | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Make a bulk job of the label maps that lie in the bucket below `prefix`, such as inputs/mine/.

        `style_image` is a picture whose style the pictures take. Calls with the same `idempotency_key` make one job;
        without one, each call makes a job.
        """
        method, path, headers = _once(idempotency_key)
        params = parameters.model_dump(mode="json", exclude_defaults=True)
        body: dict[str, Any] = {"params": params, "prefix": prefix}
        if style_image is not None:
            content = base64.b64encode(style_image.read_bytes()).decode()
            body["style_image"] = {"file": style_image.name, "content": content}
        return parse(self._send(lambda: self._http.request(method, path, json=body, headers=headers)), Job)

    def job(self, job_id: str) -> Job:
        """The job as it is now."""
        return parse(self._get(f"/v1/jobs/{job_id}"), Job)

    def items(self, job: Job) -> Iterator[Item]:
        """All items of a job, asked for a page at a time; of an open bulk job those that have come in."""
        yield from job.items
        while job.items_next is not None and job.items:
            job = parse(self._get(job.items_next), Job)
            yield from job.items

    def jobs(self, *, limit: int = 50) -> JobPage:
        """The newest jobs."""
        return parse(self._get("/v1/jobs", {"limit": limit}), JobPage)

    def events(self, job_id: str, *, last_event_id: str = "") -> Iterator[JobEvent]:
        """What happens to the job from after an event on, until its end, or until the service closes the stream."""
        path, headers = f"/v1/jobs/{job_id}/events", {"Last-Event-ID": last_event_id} if last_event_id else {}
        try:
            with connect_sse(self._http, "GET", path, headers=headers, timeout=self._stream_timeout) as source:
                if not source.response.is_success:
                    source.response.read()
                if checked(source.response).status_code == httpx.codes.NO_CONTENT:
                    return
                for sent in source.iter_sse():
                    if (event := _event(sent)) is not None:
                        yield event
        except (httpx.TransportError, SSEError, ValidationError) as error:
            raise ClientError(f"the events of job {job_id} broke off: {error}") from error

    def follow(self, job_id: str, *, on_change: Callable[[JobSummary], None] = lambda _: None) -> Job:
        """Wait until the job is finished; `on_change` is given the job as it changes, or about once a second.

        It listens to events. Where there are none, or they break off, it asks for the job, and later listens again.
        """
        last_event_id, listen_at = "", time.monotonic()
        while True:
            if time.monotonic() >= listen_at:
                try:
                    for event in self.events(job_id, last_event_id=last_event_id):
                        last_event_id = event.id
                        if event.job is not None:
                            on_change(event.job)
                except ClientError:  # what is to be told of it comes from the request for the job
                    listen_at = time.monotonic() + _LISTEN_AGAIN_SECONDS
            asked = time.monotonic()
            job = parse(self._get(f"/v1/jobs/{job_id}", {"wait": _FOLLOW_SECONDS}), Job)
            on_change(job)
            if job.state.is_final:
                return job
            # A service with many who wait answers at once; then it is for us not to ask too often.
            threading.Event().wait(max(0.0, asked + _FOLLOW_LEAST_SECONDS - time.monotonic()))

    def picture(self, item: Item) -> bytes:
        """The encoded picture of a finished item, checked against its digest."""
        if item.image is None:
            why = item.detail or item.reason or "no reason is known"
            raise ClientError(f"{item.file} ended as {item.state} and has no picture: {why}")
        content = self._get(item.image.href).content
        if hashlib.sha256(content).hexdigest() != item.image.sha256:
            raise ClientError(f"the picture of {item.file} was damaged on its way: its sha256 differs")
        return content

    def archive(self, job_id: str, path: Path) -> None:
        """Write all pictures of a job that has ended, and a manifest, to `path` as a ZIP, which is there once whole."""
        part = path.with_name(f"{path.name}.part")

        def fetch() -> httpx.Response:
            with self._http.stream("GET", f"/v1/jobs/{job_id}/archive") as response, part.open("wb") as file:
                for chunk in response.iter_bytes() if response.is_success else ():
                    file.write(chunk)
                if not response.is_success:
                    response.read()
                return response

        try:
            self._send(fetch)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def cancel(self, job_id: str) -> Cancellation:
        """Cancel what can be canceled; the answer says what happened to each item."""
        return parse(self._send(lambda: self._http.post(f"/v1/jobs/{job_id}/cancel")), Cancellation)

    def operations(self) -> OpsSummary:
        """What an operator wants to see; needs a key of scope `metrics`, where there are keys."""
        return parse(self._get("/ops/summary"), OpsSummary)

    def models(self) -> ModelList:
        """Every model of the service."""
        return parse(self._get("/v1/models"), ModelList)

    def model(self, reference: str) -> Model:
        """A model by `name` (its newest version) or `name@version`."""
        return parse(self._get(f"/v1/models/{reference}"), Model)

    def _get(self, path: str, params: Mapping[str, int] | None = None) -> httpx.Response:
        return self._send(lambda: self._http.get(path, params=params))

    def _send(self, request: Callable[[], httpx.Response]) -> httpx.Response:
        """The answer to `request` if it is a good one."""
        deadline = time.monotonic() + self._patience_seconds
        while True:
            pause_seconds = _REPEAT_SECONDS
            try:
                response = request()
            except httpx.TransportError as error:
                # A connection that broke off had somebody at its other end, who may just be restarting.
                self._was_reached |= not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if not self._was_reached or time.monotonic() + pause_seconds > deadline:
                    raise ClientError(
                        f"no answer from {self._url} ({error}): is the service running? `spade-serve up` starts one"
                    ) from error
            else:
                self._was_reached = True
                pause_seconds = max(pause_seconds, retry_after(response))
                if not is_for_later(response) or time.monotonic() + pause_seconds > deadline:
                    return checked(response)
            threading.Event().wait(pause_seconds)


def _once(idempotency_key: str | None) -> tuple[str, str, dict[str, str]]:
    """Method, path and headers of a submission that may be repeated and makes one job.

    An id of one's own is as good as a key, and unlike one made of a key it sorts by time.
    """
    if idempotency_key is None:
        return "PUT", f"/v1/jobs/{ULID()}", {}
    return "POST", "/v1/jobs", {"Idempotency-Key": idempotency_key}


def _event(sent: ServerSentEvent) -> JobEvent | None:
    """None for a kind that this client does not know. Raises `ClientError` for one that says why the stream ends."""
    match sent.event:
        case "state" | "progress" | "end":
            return JobEvent(id=sent.id, kind=sent.event, job=JobSummary.model_validate_json(sent.data))
        case "item":
            return JobEvent(id=sent.id, kind=sent.event, item=Item.model_validate_json(sent.data))
        case "unavailable":
            problem = Problem.model_validate_json(sent.data)
            raise ClientError(f"{problem.title}: {problem.detail}", problem=problem)
    return None
