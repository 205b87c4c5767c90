"""Submissions that may be repeated: under an id of the client's own, or with an `Idempotency-Key`.

The key is that of draft-ietf-httpapi-idempotency-key-header. Key and owner make the job's id, so that a POST with a key
is a PUT under an id that nobody else can have. What the id stands for is in Redis and in the object store anyway: there
is nothing more to keep, to lose or to let run out, and a request that was killed leaves a job or none, never two.
"""

import base64
import hashlib
import json
import re
from typing import Final

from api.bodies import Body
from api.callers import Caller
from api.errors import KeyReusedError
from api.parameters import JobParameters, refuse_parameter
from api.preparation import prepare, request_digest
from api.reservation import reserved
from api.services import Services
from api.submission import find_existing, submit
from api.timing import times
from workers.errors import JobExistsError
from workers.messages import JobSpec

KEY_HEADER: Final = "Idempotency-Key"
MAX_KEY_LENGTH: Final = 255
ID_PREFIX: Final = "key~"
"""No id of a client's own has a ~, so that nobody can take the ids that others' keys make."""
ID_BYTES: Final = 16
KEY_PATTERN: Final = rf"""^("([ !#-\[\]-~]|\\["\\]){{1,{MAX_KEY_LENGTH}}}"|[!#-~][ -~]{{0,{MAX_KEY_LENGTH - 1}}})$"""
"""The header, as the OpenAPI document tells clients to write it."""
QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"')


def submit_once(body: Body[JobParameters], job_id: str, *, services: Services, caller: Caller) -> JobSpec | None:
    """Submit a job under an id that the request has each time it is sent; None when it was submitted before.

    Raises as `prepare` and `submit`, and JobExistsError when the id is that of another request's job.
    """
    digest = request_digest(body)
    if find_existing(job_id, digest, services=services, owner=caller.owner):
        return None
    with times().stage("decode"):
        job = prepare(body, services=services, owner=caller.owner, job_id=job_id)
    with reserved(job_id, services.job_store) as reservation:
        if find_existing(job_id, digest, services=services, owner=caller.owner):
            return None
        submit(job, services, limits=caller.limits, reservation=reservation)
    return job.spec


def submit_with_key(body: Body[JobParameters], job_id: str, *, services: Services, caller: Caller) -> JobSpec | None:
    """As `submit_once`, under the id that a key makes. Raises KeyReusedError when the key came with another request."""
    try:
        return submit_once(body, job_id, services=services, caller=caller)
    except JobExistsError as error:
        raise KeyReusedError(
            f"this {KEY_HEADER} came with another request before, which made job {job_id!r}; use a new key for each "
            "job, and the same one only to repeat a request"
        ) from error


def keyed_job_id(owner: str, header: str) -> str:
    """The id of the job that an owner's key stands for. Raises ParametersRefusedError for what is no key."""
    digest = hashlib.sha256(json.dumps([owner, read_key(header)]).encode()).digest()
    return ID_PREFIX + base64.b32encode(digest[:ID_BYTES]).decode().rstrip("=").lower()


def read_key(header: str) -> str:
    """The key, which the draft wants in quotation marks and many clients send without."""
    quoted = QUOTED.fullmatch(header)
    key = header if quoted is None else re.sub(r"\\(.)", r"\1", quoted[1])
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise refuse_parameter(
            KEY_HEADER, "key-malformed", f"it must have 1 to {MAX_KEY_LENGTH} printable characters of ASCII"
        )
    return key
