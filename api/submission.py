"""From a prepared job to a queued one: inputs and description are stored first, then the queue accepts or refuses."""

import dataclasses
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath
from typing import Final

from flask import g

from api.errors import SubmissionUncertainError
from api.identity import identities
from api.preparation import PreparedJob
from api.reservation import Reservation
from api.services import Services
from api.timing import times
from workers import messages
from workers.errors import (
    JobExistsError,
    JobUnknownError,
    ObjectMissingError,
    QueueUnavailableError,
    ServiceError,
    StorageUnavailableError,
)
from workers.limits import KeyLimits
from workers.messages import JobSpec

STORING_THREADS: Final = 8
_CONTENT_TYPES: Final = {".png": "image/png", ".jsonl": "application/jsonl", ".csv": "text/csv"}

_log = logging.getLogger(__name__)


def submit(job: PreparedJob, services: Services, *, limits: KeyLimits, reservation: Reservation | None = None) -> None:
    """Store the job's inputs and description, then queue it. What was stored is removed again if the queue refuses.

    `limits` are those of the client's key, `reservation` is for an id that the client chose.
    Raises QueueFullError, StorageQuotaError, QueueUnavailableError, StorageUnavailableError, JobExistsError,
    JobExpiredError, BeingSubmittedError, or SubmissionUncertainError.
    """
    spec = dataclasses.replace(job.spec, request_id=g.request_id, traceparent=times().span.traceparent)
    services.job_reader.ping()  # while Redis is away nothing needs to be stored and removed again
    if reservation is not None:
        _clear_other_job(spec, services)
    try:
        with times().stage("store"):
            _store(spec, job.objects, services, reservation)
        with times().stage("enqueue", is_producer=True) as span:
            span.note({"messaging.system": "spade", "messaging.destination.name": spec.model, "spade.job.id": spec.id})
            services.job_store.submit(
                # Should Redis lose it, what hung from this span hangs from the request's, which `job.json` has.
                dataclasses.replace(spec, traceparent=span.traceparent),
                limits=limits,
                input_bytes=sum(map(len, job.objects.values())),
                identities=identities(spec, job.objects),
            )
    except QueueUnavailableError as error:
        # Redis went away during the call, so the job may be queued all the same: then it needs its inputs. Nobody
        # asks again for an id of ours, so that job is not to be rebuilt from its description.
        if reservation is None:
            _remove_stored(spec.id, services, keep_inputs=True)
        raise SubmissionUncertainError(spec.id) from error
    except JobExistsError as error:
        # Calls whose answer was lost are repeated; then the job that is there already is this very one. If it is not,
        # what lies under the id is that job's.
        if error.request_digest != spec.request_digest:
            raise
    except ServiceError:
        if reservation is not None:
            reservation.keep()  # or else what lies there is another's by now
        _remove_stored(spec.id, services)
        raise
    with times().stage("wake"):
        services.wake_up.send(spec.model)
    _log.info("job accepted", extra={"job": spec.id, "model": spec.model, "items": spec.total})


def find_existing(job_id: str, digest: str, *, services: Services, owner: str) -> bool:
    """Whether the owner's job with this id exists with the same content, as `request_digest` tells it.

    Raises JobExistsError when it is another's or its content differs, JobExpiredError when it is no longer kept.
    """
    # In this order: what is read after an id is known to be taken is not yet to come, so that it is somebody else's.
    if not services.job_reader.is_taken(job_id):
        return False
    try:
        existing = services.job_reader.job(job_id, owner=owner)
    except JobUnknownError:
        raise JobExistsError(job_id, "") from None  # that it is, is all that may be told
    if existing.request_digest != digest:
        raise JobExistsError(job_id, existing.request_digest)
    return True


def _store(spec: JobSpec, objects: Mapping[str, bytes], services: Services, reservation: Reservation | None) -> None:
    def put(key: str) -> None:
        services.object_store.put(key, objects[key], content_type=_CONTENT_TYPES[PurePath(key).suffix])
        if reservation is not None:
            reservation.keep()

    with ThreadPoolExecutor(max_workers=STORING_THREADS) as pool:
        for _ in pool.map(put, objects):
            pass  # raises what a put raised
    description = spec.to_json().encode()
    services.object_store.put(messages.spec_key(spec.id), description, content_type="application/json")


def _clear_other_job(spec: JobSpec, services: Services) -> None:
    """Remove what lies under the id of a job that Redis has lost, or that was never queued for certain.

    Its pictures and record would count as this one's if the queue were rebuilt. Raises JobExistsError where the
    job is another owner's, or whose cannot be read.
    """
    try:
        text = services.object_store.get(messages.spec_key(spec.id))
    except ObjectMissingError:
        return
    try:
        stored = JobSpec.from_json(text)
    except (ValueError, TypeError, KeyError) as error:
        raise JobExistsError(spec.id, "") from error
    if stored.owner != spec.owner:
        raise JobExistsError(spec.id, stored.request_digest)
    if _asked_for(stored) != _asked_for(spec):
        services.object_store.delete_prefix(messages.job_prefix(spec.id))


def _asked_for(spec: JobSpec) -> JobSpec:
    """Without what is another each time that a request is sent."""
    return dataclasses.replace(spec, created_ms=0, request_id=None, traceparent=None)


def _remove_stored(job_id: str, services: Services, *, keep_inputs: bool = False) -> None:
    """The description first: a job is rebuilt from it, and inputs without one are cleared away."""
    try:
        services.object_store.delete(messages.spec_key(job_id))
        if not keep_inputs:
            services.object_store.delete_prefix(messages.job_prefix(job_id))
    except StorageUnavailableError as error:
        _log.warning("objects of a refused job stay", extra={"job": job_id, "error": str(error)})
