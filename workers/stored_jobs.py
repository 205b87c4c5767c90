"""Jobs as the object store has them: what lies below `jobs/<id>/`, a job at a time however many there are."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from workers.bulk import input_prefixes
from workers.messages import JOBS_PREFIX, job_prefix, record_key, spec_key
from workers.storage import ObjectStore, StoredObject

_PICTURE: Final = re.compile(r"pictures/(\d+)-(\d+)\.[a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPicture:
    """A picture that some attempt stored; whether it was committed is not in its name."""

    key: str
    index: int
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """All objects of a job, by key."""

    id: str
    objects: dict[str, StoredObject]

    @property
    def is_described(self) -> bool:
        """Whether `job.json` is there."""
        return spec_key(self.id) in self.objects

    @property
    def is_recorded(self) -> bool:
        """Whether `record.json` is there."""
        return record_key(self.id) in self.objects

    @property
    def input_bytes(self) -> int:
        """Size of what was stored before the job was accepted: its maps, or their list and palette in a bulk job."""
        inputs = input_prefixes(self.id)
        return sum(entry.size_bytes for key, entry in self.objects.items() if key.startswith(inputs))

    def pictures(self) -> Iterator[StoredPicture]:
        """Every picture, late ones too."""
        for key in self.objects:
            if match := _PICTURE.fullmatch(key.removeprefix(job_prefix(self.id))):
                yield StoredPicture(key=key, index=int(match[1]), fence=int(match[2]))

    def newest_pictures(self) -> dict[int, StoredPicture]:
        """The picture of the highest fence, by item: the only one that can have been committed.

        A commit needs the item's newest fence, and once there is a commit no newer fence is given.
        """
        newest: dict[int, StoredPicture] = {}
        for picture in self.pictures():
            known = newest.get(picture.index)
            if known is None or known.fence < picture.fence:
                newest[picture.index] = picture
        return newest


def stored_jobs(objects: ObjectStore) -> Iterator[StoredJob]:
    """Every job in the object store, in order of id; the objects of one at a time are in memory."""

    def job_id(entry: StoredObject) -> str:
        return entry.key.removeprefix(JOBS_PREFIX).partition("/")[0]

    for identity, entries in groupby(objects.objects(JOBS_PREFIX), job_id):
        yield _stored_job(identity, entries)


def stored_job(objects: ObjectStore, job_id: str) -> StoredJob:
    """One job in the object store, as it is now."""
    return _stored_job(job_id, objects.objects(job_prefix(job_id)))


def _stored_job(job_id: str, entries: Iterable[StoredObject]) -> StoredJob:
    return StoredJob(id=job_id, objects={entry.key: entry for entry in entries})
