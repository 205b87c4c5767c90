"""From a request body to a queued job: inputs and description are stored first, then the queue accepts or refuses."""

import dataclasses
import hashlib
import json
import logging
import secrets
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from api.bodies import Body
from api.bulk import list_inputs
from api.decoding import MAX_REQUEST_PIXELS, DecodedMap, choose_palette, decode_maps, file_digest, resolve_model
from api.errors import Fault, FilesRefusedError, SubmissionUncertainError
from api.identity import identities
from api.parameters import JobParameters, MapParameters, StyleBlend, refuse_parameter
from api.problems import MAX_FAULTS
from api.reservation import Reservation
from api.services import Services
from api.webhooks import check_webhook
from model_store.card import ModelCard
from spade.errors import ConfigError
from spade.label_images import encode_ids_png, resize_nearest
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
from workers.messages import BulkInputs, ItemSpec, JobSpec, Style

DRAWN_SEEDS: Final = 2**32
MAX_PICTURE_PIXELS: Final = 2**22
STORING_THREADS: Final = 8
_CONTENT_TYPES: Final = {".png": "image/png", ".jsonl": "application/jsonl", ".csv": "text/csv"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedJob:
    """A job that has passed every check but the queue's, with the objects that belong to it by key."""

    spec: JobSpec
    objects: dict[str, bytes]


def picture_size(card: ModelCard, parameters: MapParameters) -> tuple[int, int]:
    """Height and width of the pictures. Raises ParametersRefusedError when the model cannot make them."""
    if parameters.size is None:
        return card.height, card.width
    height, width = parameters.size.height, parameters.size.width
    if height * width > MAX_PICTURE_PIXELS:
        raise refuse_parameter("size", "too-large", f"{width}x{height} has more than {MAX_PICTURE_PIXELS} pixels")
    try:
        card.generator.check_size(height, width)
    except ConfigError as error:
        raise refuse_parameter("size", "size-does-not-fit", str(error)) from error
    return height, width


def request_digest(body: Body[JobParameters]) -> str:
    """sha256 of what a request asks for, before a seed is drawn or a model's newest version looked up."""
    parameters = json.dumps(body.parameters.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(f"{parameters}\n{file_digest(body)}".encode()).hexdigest()


def prepare(body: Body[JobParameters], *, services: Services, owner: str, job_id: str) -> PreparedJob:
    """Check everything that can be checked without the queue; store nothing.

    Raises ParametersRefusedError or FilesRefusedError, the latter with the faults of all files.
    """
    parameters = body.parameters
    card = resolve_model(services.registry, parameters.model)
    height, width = picture_size(card, parameters)
    _check_style(card, parameters.style)
    if parameters.webhook is not None:
        check_webhook(parameters.webhook, services)
    seed = secrets.randbelow(DRAWN_SEEDS) if parameters.seed is None else parameters.seed
    bulk: BulkInputs | None = None
    if body.prefix is not None:
        bulk, objects = list_inputs(body, card, services=services, job_id=job_id, pixels=height * width, seed=seed)
    else:
        _check_count(len(body.label_maps) * parameters.variations, services.settings.max_items_per_job)
        _check_pixels(len(body.label_maps) * height * width)
        palette = choose_palette(services.registry, card, body)
        decoded = decode_maps(body, card, palette, turns=services.decoding_turns)
        objects = _read_inputs(decoded, job_id, height=height, width=width)
    spec = JobSpec(
        id=job_id,
        owner=owner,
        model=card.name,
        model_version=card.version,
        weights_digest=card.weights.sha256,
        height=height,
        width=width,
        items=tuple(_items(body, job_id, first_seed=seed)),
        created_ms=time.time_ns() // 1_000_000,
        request_digest=request_digest(body),
        priority=parameters.priority,
        picture_format=parameters.format.value,
        picture_quality=parameters.quality,
        style=_style(parameters.style),
        deadline_seconds=parameters.deadline_seconds,
        labels=parameters.labels,
        bulk=bulk,
        webhook=parameters.webhook,
    )
    return PreparedJob(spec=spec, objects=objects)


def submit(job: PreparedJob, services: Services, *, limits: KeyLimits, reservation: Reservation | None = None) -> None:
    """Store the job's inputs and description, then queue it. What was stored is removed again if the queue refuses.

    `limits` are those of the client's key, `reservation` is for an id that the client chose.
    Raises QueueFullError, StorageQuotaError, QueueUnavailableError, StorageUnavailableError, JobExistsError,
    JobExpiredError, BeingSubmittedError, or SubmissionUncertainError.
    """
    spec = job.spec
    services.job_reader.ping()  # while Redis is away nothing needs to be stored and removed again
    if reservation is not None:
        _clear_other_job(spec, services)
    try:
        _store(job, services, reservation)
        services.job_store.submit(
            spec,
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


def _store(job: PreparedJob, services: Services, reservation: Reservation | None) -> None:
    def put(key: str) -> None:
        services.object_store.put(key, job.objects[key], content_type=_CONTENT_TYPES[PurePath(key).suffix])
        if reservation is not None:
            reservation.keep()

    with ThreadPoolExecutor(max_workers=STORING_THREADS) as pool:
        for _ in pool.map(put, job.objects):
            pass  # raises what a put raised
    description = job.spec.to_json().encode()
    services.object_store.put(messages.spec_key(job.spec.id), description, content_type="application/json")


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
    if dataclasses.replace(stored, created_ms=spec.created_ms) != spec:
        services.object_store.delete_prefix(messages.job_prefix(spec.id))


def _remove_stored(job_id: str, services: Services, *, keep_inputs: bool = False) -> None:
    """The description first: a job is rebuilt from it, and inputs without one are cleared away."""
    try:
        services.object_store.delete(messages.spec_key(job_id))
        if not keep_inputs:
            services.object_store.delete_prefix(messages.job_prefix(job_id))
    except StorageUnavailableError as error:
        _log.warning("objects of a refused job stay", extra={"job": job_id, "error": str(error)})


def _read_inputs(
    maps: Iterable[DecodedMap | tuple[Fault, ...]], job_id: str, *, height: int, width: int
) -> dict[str, bytes]:
    """Every label map and instance map in the form that workers read, by key."""
    inputs: dict[str, bytes] = {}
    faults: list[Fault] = []
    for map_index, decoded in enumerate(maps):
        if isinstance(decoded, DecodedMap):
            inputs.update(_stored_inputs(decoded, job_id, map_index, height=height, width=width))
        else:
            faults.extend(decoded)
        if len(faults) >= MAX_FAULTS:
            break  # more would not be told
    if faults:
        raise FilesRefusedError(faults)
    return inputs


def _stored_inputs(decoded: DecodedMap, job_id: str, map_index: int, *, height: int, width: int) -> dict[str, bytes]:
    ids = resize_nearest(decoded.ids, height, width)
    inputs = {messages.label_map_key(job_id, map_index): encode_ids_png(ids)}
    if decoded.instances is not None:
        instances = resize_nearest(decoded.instances, height, width)
        inputs[messages.instance_map_key(job_id, map_index)] = encode_ids_png(instances)
    return inputs


def _items(body: Body[JobParameters], job_id: str, *, first_seed: int) -> Iterator[ItemSpec]:
    """For each label map its variations, with rising seeds."""
    parameters = body.parameters
    for map_index, (label_map, instance_map) in enumerate(zip(body.label_maps, body.instance_maps, strict=True)):
        for variation in range(parameters.variations):
            yield ItemSpec(
                index=map_index * parameters.variations + variation,
                file=label_map.name,
                label_map_key=messages.label_map_key(job_id, map_index),
                instance_map_key=None if instance_map is None else messages.instance_map_key(job_id, map_index),
                seed=first_seed + variation,
            )


def _check_style(card: ModelCard, style: str | StyleBlend | None) -> None:
    names = style.blend if isinstance(style, StyleBlend) else [] if style is None else [style]
    for name in names:
        if name not in card.style_seeds:
            existing = ", ".join(card.style_seeds) or "none"
            raise refuse_parameter(
                "style", "unknown-style", f"the model {card.name} has no style {name!r}; it has: {existing}"
            )


def _style(style: str | StyleBlend | None) -> Style | None:
    if isinstance(style, StyleBlend):
        return Style(first=style.blend[0], second=style.blend[1], weight=style.weight)
    return None if style is None else Style(first=style)


def _check_count(items: int, most: int) -> None:
    if items > most:
        detail = f"label maps times variations are {items} pictures; one job may have {most}"
        raise refuse_parameter("variations", "too-many-items", detail)


def _check_pixels(pixels: int) -> None:
    if pixels > MAX_REQUEST_PIXELS:
        detail = f"label maps of the pictures' size have {pixels} pixels; one job may have {MAX_REQUEST_PIXELS}"
        raise refuse_parameter("size", "too-many-pixels", detail)
