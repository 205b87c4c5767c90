"""Bulk jobs: many label maps that lie below one prefix, in the client's own objects.

Their list is frozen when the job is accepted, in chunks beside `job.json`, so that no call of Redis and no worker ever
holds all of it. The maps themselves are neither copied nor looked at then: reading fifty thousand takes minutes. A
worker reads and checks each when its turn comes, and one that cannot be used fails alone, as `invalid-label-map`.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from workers.errors import ObjectMissingError
from workers.file_names import printable
from workers.messages import ItemSpec, JobSpec, job_prefix
from workers.storage import ObjectStore

INPUT_PREFIX: Final = "inputs/"
"""Clients' own objects."""
CHUNK_MAPS: Final = 500


def listing_key(job_id: str, chunk: int) -> str:
    """Where a chunk of the list of label maps goes."""
    return f"{job_prefix(job_id)}listing/{chunk:05}.jsonl"


def palette_key(job_id: str) -> str:
    """Where the palette goes that came with a bulk job."""
    return f"{job_prefix(job_id)}palette.csv"


def input_prefixes(job_id: str) -> tuple[str, str, str]:
    """Below which a job's inputs lie: the maps it was sent, or the list and the palette of a bulk job."""
    return f"{job_prefix(job_id)}inputs/", f"{job_prefix(job_id)}listing/", palette_key(job_id)


def shown_name(key: str) -> str:
    """The name of a client's own object, as people are told it."""
    return printable(key.removeprefix(INPUT_PREFIX))


def write_listing(job_id: str, instance_keys: Mapping[str, str | None]) -> dict[str, bytes]:
    """The chunks of a list by their keys; `instance_keys` maps each label map's key to its instance map's, if any."""
    pairs = iter(instance_keys.items())
    chunks: dict[str, bytes] = {}
    while some := list(islice(pairs, CHUNK_MAPS)):
        text = "".join(json.dumps(pair) + "\n" for pair in some)
        chunks[listing_key(job_id, len(chunks))] = text.encode()
    return chunks


def read_items(objects: ObjectStore, spec: JobSpec, *, start: int) -> Iterator[ItemSpec]:
    """The items of a bulk job from `start` on, in order; one chunk of the list is in memory.

    Raises `StorageUnavailableError`.
    """
    bulk = spec.bulk
    assert bulk is not None
    for chunk in range(start // bulk.variations // CHUNK_MAPS, -(-bulk.maps // CHUNK_MAPS)):
        first = chunk * CHUNK_MAPS
        pairs = _read_chunk(objects, listing_key(spec.id, chunk), maps=min(CHUNK_MAPS, bulk.maps - first))
        for number, (label_map_key, instance_map_key) in enumerate(pairs, start=first):
            for variation in range(bulk.variations):
                index = number * bulk.variations + variation
                if index >= start:
                    yield ItemSpec(
                        index=index,
                        file=shown_name(label_map_key),
                        label_map_key=label_map_key,
                        instance_map_key=instance_map_key,
                        seed=bulk.seed + variation,
                    )


def _read_chunk(objects: ObjectStore, key: str, *, maps: int) -> list[tuple[str, str | None]]:
    """The keys of label maps and instance maps. Where the list is gone or damaged its own key is each map's.

    So these items fail one by one in their turn, with a reason that names the list, rather than being waited for.
    """
    try:
        pairs = [
            (str(label_map), instance_map) for label_map, instance_map in map(json.loads, objects.get(key).splitlines())
        ]
    except (ObjectMissingError, ValueError, TypeError):
        pairs = []
    return pairs if len(pairs) == maps else [(key, None)] * maps
