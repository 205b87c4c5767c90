"""Bulk jobs: from a prefix to the frozen list of the label maps below it. The maps themselves are read by workers."""

from typing import Final

from api.bodies import Body
from api.decoding import choose_palette
from api.errors import BusyError
from api.files import pair_names, refuse_files
from api.parameters import JobParameters, refuse_parameter
from api.services import Services
from api.stored_inputs import list_keys
from model_store.card import ModelCard
from workers import bulk
from workers.bulk_inputs import BulkInputs, MapReading
from workers.settings import Settings

BUSY: Final = "as many prefixes as this process lists at a time are being listed; try again shortly"


def list_inputs(
    body: Body[JobParameters], card: ModelCard, *, services: Services, job_id: str, pixels: int, seed: int
) -> tuple[BulkInputs, dict[str, bytes]]:
    """What a bulk job is made of, and the objects that say so by key; `pixels` are those of one picture.

    Raises FilesRefusedError, ParametersRefusedError, BusyError or StorageUnavailableError.
    """
    prefix, variations = body.prefix or "", body.parameters.variations
    choose_palette(services.registry, card, body)  # raises where it cannot be used
    most = most_items(services.settings, pixels)
    if not services.listing_places.acquire(blocking=False):
        raise BusyError(BUSY)
    try:
        found = list_keys(services.object_store, prefix, most_maps=most)
    finally:
        services.listing_places.release()
    maps = {} if len(found) > 2 * most else pair_names(found, where=f"under {prefix!r}", shown=bulk.shown_name)
    if not found:
        raise refuse_files("no-label-map", f"there is no label map under {prefix!r}")
    if not maps or len(maps) * variations > most:
        detail = f"there are more pictures to make than the {most} that one job of this picture size may have"
        raise refuse_parameter("prefix", "too-many-items", f"{detail}; choose longer prefixes, or fewer variations")
    if not card.uses_instances and any(maps.values()):
        detail = f"there are instance maps under {prefix!r}, and the model {card.name} uses none; move them away"
        raise refuse_files("instance-map-unused", detail)
    objects = bulk.write_listing(job_id, maps)
    palette_key = None
    if body.palette_csv is not None:
        palette_key = bulk.palette_key(job_id)
        objects[palette_key] = body.palette_csv.read()
    reading = MapReading(palette=body.parameters.palette, palette_key=palette_key)
    return BulkInputs(maps=len(maps), variations=variations, seed=seed, reading=reading), objects


def most_items(settings: Settings, pixels: int) -> int:
    """Pictures of so many pixels that fit into a bulk job at all, be the queue empty or not."""
    caps = settings.queue
    in_queue = min(caps.max_open_items, caps.max_owner_items)
    return min(settings.max_bulk_items, in_queue, min(caps.max_open_pixels, caps.max_owner_pixels) // pixels)
