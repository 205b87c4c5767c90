"""All pictures of a job as one ZIP, made while it is sent: in memory are one picture and the ZIP's directory."""

import errno
import hashlib
import logging
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from typing import Final

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from pydantic import BaseModel, Field
from stream_zip import NO_COMPRESSION_32, NO_COMPRESSION_64, ZIP_32, ZIP_64, Method, stream_zip

from api.access import stay_let_in
from api.callers import current_caller, visible_owner
from api.documents import file_response, problem_responses
from api.errors import BusyError, JobNotFinishedError, KeyRefusedError
from api.parameters import StyleBlend
from api.pictures import picture_name
from api.representation import JOBS_PATH, ModelReference, PictureSize
from api.services import Services, current_services
from api.styles import StyleOfImage, represent_style
from workers.errors import ObjectMissingError, ServiceError, StorageUnavailableError
from workers.messages import ItemView, JobView, State

archives: Final = APIBlueprint("archives", __name__, abp_tags=[{"name": "jobs"}])

MANIFEST_NAME: Final = "manifest.json"
CONTENT_TYPE: Final = "application/zip"
PAGE_ITEMS: Final = 100
FILE_MODE: Final = stat.S_IFREG | 0o644
MAX_SMALL_BYTES: Final = 2**32 - 1
MAX_SMALL_MEMBERS: Final = 2**16 - 2
MOST_BYTES_PER_PIXEL: Final = 4

Member = tuple[str, datetime, int, Method, Iterable[bytes]]

_log = logging.getLogger(__name__)


class ArchivePath(BaseModel):
    """Of which job."""

    job_id: str


class ArchivedItem(BaseModel):
    """One item of a job, with all that its picture follows from."""

    index: int
    file: str = Field(description="Name of its label map in the request")
    label_map_sha256: str | None = Field(description="Of the PNG that the worker read; null if it is no longer stored")
    seed: int
    style: str | StyleBlend | StyleOfImage | None
    model: ModelReference
    code_version: str = Field(description="Of the service")
    size: PictureSize
    precision: str
    state: State
    reason: str | None
    detail: str | None
    picture: str | None = Field(description="Name of its picture in the ZIP; null where there is none")
    sha256: str | None
    bytes: int | None


class Manifest(BaseModel):
    """`manifest.json`, the last file of the ZIP."""

    job: str
    items: list[ArchivedItem]


@archives.get(
    f"{JOBS_PATH}/<job_id>/archive",
    operation_id="get_archive",
    responses={
        "200": file_response(
            "The ZIP: pictures, then `manifest.json`, which is a `Manifest`", CONTENT_TYPE, Content_Disposition="Name"
        ),
        **problem_responses(404, 409, 410, 503),
    },
)
def get_archive(path: ArchivePath) -> Response:
    """Fetch all pictures of a job that has ended, as a ZIP

    It is made while it is sent. If that fails on the way, the connection is cut before the ZIP is complete. A service
    that is sending as many as it can answers 503.
    """
    services = current_services()
    job = services.job_reader.job(path.job_id, owner=visible_owner())
    if not job.state.is_final:
        raise JobNotFinishedError(f"job {job.id!r} is {job.state}; wait until it has ended")
    with ExitStack() as place:
        if not services.archive_places.acquire(blocking=False):
            raise BusyError("as many archives as this process sends at a time are on their way; try again shortly")
        place.callback(services.archive_places.release)
        chunks = iter(stream_zip(_members(job, services)))
        first = next(chunks)  # what cannot be begun is answered as a problem
        caller = current_caller()
        sent = _sent(job.id, chain([first], chunks), stay=lambda: stay_let_in(caller, services.keys))
        response = Response(sent, content_type=CONTENT_TYPE)
        response.headers["Content-Disposition"] = f'attachment; filename="{job.id}.zip"'
        response.call_on_close(place.pop_all().close)
    return response


def _sent(job_id: str, chunks: Iterable[bytes], *, stay: Callable[[], None]) -> Iterator[bytes]:
    """The chunks, as long as `stay` does not raise. An error ends the connection, so that nobody takes the beginning
    for the whole.
    """
    try:
        for chunk in chunks:
            stay()
            yield chunk
    except (ServiceError, KeyRefusedError) as error:
        _log.warning("archive cut off", extra={"job": job_id, "error": str(error)})
        raise ConnectionResetError(errno.ECONNRESET, f"the archive of job {job_id!r} cannot be completed") from error


def _members(job: JobView, services: Services) -> Iterator[Member]:
    ended = datetime.fromtimestamp((job.finished_ms or job.created_ms) / 1000, UTC)
    large = job.total > MAX_SMALL_MEMBERS or job.total * job.height * job.width * MOST_BYTES_PER_PIXEL > MAX_SMALL_BYTES
    stored, deflated = (NO_COMPRESSION_64, ZIP_64) if large else (NO_COMPRESSION_32, ZIP_32)
    for item in _items(job, services):
        if item.picture_key is not None:
            yield picture_name(job, item), ended, FILE_MODE, stored, _picture(item, services)
    yield MANIFEST_NAME, ended, FILE_MODE, deflated, _manifest(job, services)


def _items(job: JobView, services: Services) -> Iterator[ItemView]:
    for start in range(0, job.total, PAGE_ITEMS):
        yield from services.job_reader.items(job, start=start, count=PAGE_ITEMS)


def _picture(item: ItemView, services: Services) -> Iterator[bytes]:
    data = services.object_store.get(item.picture_key or "")
    if hashlib.sha256(data).hexdigest() != item.digest:
        raise StorageUnavailableError(f"the object store gave other bytes for {item.picture_key!r} than it was given")
    yield data


def _manifest(job: JobView, services: Services) -> Iterator[bytes]:
    """A `Manifest` as JSON, an item a line."""
    described = _Described(job, services)
    yield Manifest(job=job.id, items=[]).model_dump_json().removesuffix("]}").encode()
    for item in _items(job, services):
        yield (",\n" if item.index else "\n").encode() + described(item).model_dump_json().encode()
    yield b"\n]}\n"


class _Described:
    """Describes items; the digest of a label map is kept for its variations, which follow one another."""

    def __init__(self, job: JobView, services: Services) -> None:
        self._job = job
        self._objects = services.object_store
        self._model = ModelReference(name=job.model, version=job.model_version, weights_sha256=job.weights_digest)
        self._code_version = version("spade-serving")
        self._label_map: tuple[str, str | None] = ("", None)

    def __call__(self, item: ItemView) -> ArchivedItem:
        return ArchivedItem(
            index=item.index,
            file=item.file,
            label_map_sha256=self._digest(item.label_map_key),
            seed=item.seed,
            style=represent_style(self._job.style),
            model=self._model,
            code_version=self._code_version,
            size=PictureSize(width=self._job.width, height=self._job.height),
            precision=self._job.precision,
            state=item.state,
            reason=item.reason,
            detail=item.detail,
            picture=None if item.picture_key is None else picture_name(self._job, item),
            sha256=item.digest,
            bytes=item.size_bytes,
        )

    def _digest(self, key: str) -> str | None:
        if key != self._label_map[0]:
            try:
                digest = hashlib.sha256(self._objects.get(key)).hexdigest()
            except ObjectMissingError:
                digest = None
            self._label_map = (key, digest)
        return self._label_map[1]
