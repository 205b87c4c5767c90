"""From a request body to a job: everything is checked that can be without the queue, and nothing is stored yet."""

import hashlib
import json
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from api.bodies import Body
from api.bulk import list_inputs
from api.decoding import MAX_REQUEST_PIXELS, DecodedMap, choose_palette, decode_maps, file_digest, resolve_model
from api.errors import Fault, FilesRefusedError
from api.parameters import MAX_SIDE_PIXELS, JobParameters, MapParameters, refuse_parameter
from api.problems import MAX_FAULTS
from api.services import Services
from api.styles import choose_style
from api.webhooks import check_webhook
from model_store.card import ModelCard
from spade.errors import ConfigError
from spade.label_images import encode_ids_png, resize_nearest
from workers import messages
from workers.bulk_inputs import BulkInputs
from workers.messages import ItemSpec, JobSpec

DRAWN_SEEDS: Final = 2**32
MAX_PICTURE_PIXELS: Final = 2**22


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedJob:
    """A job that has passed every check but the queue's, with the objects that belong to it by key."""

    spec: JobSpec
    objects: dict[str, bytes]


def picture_size(card: ModelCard, parameters: MapParameters) -> tuple[int, int]:
    """Height and width of the pictures. Raises ParametersRefusedError when the model or the service cannot make them.

    The model's own size may be one that nobody may ask for either.
    """
    asked = parameters.size
    height, width = (card.height, card.width) if asked is None else (asked.height, asked.width)
    mend = "" if asked is not None else "; it is the model's own size: ask for a smaller one"
    if max(height, width) > MAX_SIDE_PIXELS:
        detail = f"{width}x{height} has a side of more than {MAX_SIDE_PIXELS} pixels{mend}"
        raise refuse_parameter("size", "too-large", detail)
    if height * width > MAX_PICTURE_PIXELS:
        raise refuse_parameter("size", "too-large", f"{width}x{height} has more than {MAX_PICTURE_PIXELS} pixels{mend}")
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

    Raises UnknownModelError, ParametersRefusedError, FilesRefusedError with the faults of all files, and for label maps
    that lie in the bucket BusyError or StorageUnavailableError.
    """
    parameters = body.parameters
    card = resolve_model(services.registry, parameters.model)
    height, width = picture_size(card, parameters)
    style, style_objects = choose_style(body, card, job_id=job_id, turns=services.decoding_turns)
    if parameters.webhook is not None:
        check_webhook(parameters.webhook, services)
    seed = secrets.randbelow(DRAWN_SEEDS) if parameters.seed is None else parameters.seed
    bulk: BulkInputs | None = None
    if body.prefix is None:
        objects = _sent_inputs(body, card, services=services, job_id=job_id, height=height, width=width)
    else:
        bulk, objects = list_inputs(body, card, services=services, job_id=job_id, pixels=height * width, seed=seed)
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
        style=style,
        deadline_seconds=parameters.deadline_seconds,
        labels=parameters.labels,
        bulk=bulk,
        webhook=parameters.webhook,
    )
    return PreparedJob(spec=spec, objects=objects | style_objects)


def _sent_inputs(
    body: Body[JobParameters], card: ModelCard, *, services: Services, job_id: str, height: int, width: int
) -> dict[str, bytes]:
    """Every label map and instance map of the request as PNG in the size of the pictures, by object key."""
    _check_count(len(body.label_maps) * body.parameters.variations, services.settings.max_items_per_job)
    _check_pixels(len(body.label_maps) * height * width)
    palette = choose_palette(services.registry, card, body)
    decoded = decode_maps(body, card, palette, turns=services.decoding_turns)
    return _read_inputs(decoded, job_id, height=height, width=width)


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


def _check_count(items: int, most: int) -> None:
    if items > most:
        detail = f"label maps times variations are {items} pictures; one job may have {most}"
        raise refuse_parameter("variations", "too-many-items", detail)


def _check_pixels(pixels: int) -> None:
    if pixels > MAX_REQUEST_PIXELS:
        detail = f"label maps of the pictures' size have {pixels} pixels; one job may have {MAX_REQUEST_PIXELS}"
        raise refuse_parameter("size", "too-many-pixels", detail)
