"""Label maps that lie in the bucket already, and whose they may be."""

import itertools
from dataclasses import dataclass

from api.files import SentFile, pair_by_name, refuse_files
from workers.bulk import shown_name
from workers.errors import ObjectMissingError
from workers.storage import ObjectStore


def list_keys(objects: ObjectStore, prefix: str, *, most_maps: int) -> list[str]:
    """Keys under a prefix, at most one more than so many label maps have with an instance map each.

    Raises `StorageUnavailableError`.
    """
    # Some clients store an empty object under the name of a folder.
    found = (key for key in objects.keys(prefix) if not key.endswith("/"))
    return list(itertools.islice(found, 2 * most_maps + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInputs:
    """Objects that a request may name: those under `prefix`, which ends with a slash. Keys are plain paths.

    What lies elsewhere is refused alike whether it is there or not. Methods raise FilesRefusedError, or
    StorageUnavailableError.
    """

    objects: ObjectStore
    prefix: str

    def file(self, key: str) -> SentFile:
        """The object, to be read when it is needed."""
        self.check_prefix(key)
        name = shown_name(key)

        def read() -> bytes:
            try:
                return self.objects.get(key)
            except ObjectMissingError as error:
                raise refuse_files("object-missing", f"there is no object {key!r} in the bucket", file=name) from error

        return SentFile(name=name, read=read)

    def listed(self, prefix: str, *, max_files: int) -> tuple[tuple[SentFile, ...], tuple[SentFile | None, ...]]:
        """Label maps under a prefix, and their instance maps, at most one file more than may be used."""
        self.check_prefix(prefix)
        keys = list_keys(self.objects, prefix, most_maps=max_files)
        return pair_by_name(keys, self.file, where=f"under {prefix!r}")

    def check_prefix(self, key: str) -> None:
        """Raises FilesRefusedError where the key, or the beginning of keys, is none of theirs."""
        if not key.startswith(self.prefix):
            detail = f"{key!r} is not among your inputs; their keys begin with {self.prefix!r}"
            raise refuse_files("foreign-object", detail)
