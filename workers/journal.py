"""The journal of a bulk job: what became of its items, in pieces that are written once as the items end.

`record.json` of other jobs holds all items, and is written anew whenever one has failed. Of fifty thousand items that
would be thirty megabytes each time.
"""

import dataclasses
import json
from collections.abc import Sequence

from ulid import ULID

from workers.messages import ItemView, job_prefix
from workers.storage import ObjectStore


def write(objects: ObjectStore, job_id: str, items: Sequence[ItemView]) -> None:
    """One piece more. A piece that is written twice does no harm. Raises `StorageUnavailableError`."""
    text = "".join(json.dumps(dataclasses.asdict(item)) + "\n" for item in items)
    objects.put(f"{_prefix(job_id)}{ULID()}.jsonl", text.encode(), content_type="application/jsonl")


def read(objects: ObjectStore, job_id: str) -> dict[int, bytes]:
    """The newest entry of each item as JSON, by index: to be parsed one by one, since values take ten times the room.

    Raises `StorageUnavailableError`, or `ObjectMissingError` when the job is being removed.
    """
    entries: dict[int, bytes] = {}
    for key in objects.keys(_prefix(job_id)):  # in order of time
        for line in objects.get(key).splitlines():
            entries[json.loads(line)["index"]] = line
    return entries


def _prefix(job_id: str) -> str:
    return f"{job_prefix(job_id)}record/"
