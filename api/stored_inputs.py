"""Label maps that lie in the bucket already, and whose they may be."""

import itertools
from dataclasses import dataclass

from api.files import SentFile, pair_by_name, printable, refuse_files
from workers.bulk import INPUT_PREFIX
from workers.errors import ObjectMissingError
from workers.storage import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInputs:
    """Objects that a request may name: those under `prefix`, which ends with a slash. Keys are plain paths.

    What lies elsewhere is refused alike whether it is there or not. Methods raise FilesRefusedError.
    """

    objects: ObjectStore
    prefix: str

    def file(self, key: str) -> SentFile:
        """The object, to be read when it is needed."""
        self.check_prefix(key)
        name = printable(key.removeprefix(INPUT_PREFIX))

        def read() -> bytes:
            try:
                return self.objects.get(key)
            except ObjectMissingError as error:
                raise refuse_files("object-missing", f"there is no object {key!r} in the bucket", file=name) from error

        return SentFile(name=name, read=read)

    def listed(self, prefix: str, *, max_files: int) -> tuple[tuple[SentFile, ...], tuple[SentFile | None, ...]]:
        """Label maps under a prefix, and their instance maps, at most one file more than may be used."""
        self.check_prefix(prefix)
        found = (key for key in self.objects.keys(prefix) if not key.endswith("/"))
        keys = list(itertools.islice(found, 2 * max_files + 1))
        return pair_by_name(keys, self.file, where=f"under {prefix!r}")

    def check_prefix(self, key: str) -> None:
        """Return where the key, or the beginning of keys, is one of theirs."""
        if not key.startswith(self.prefix):
            detail = f"{key!r} is not among your inputs; their keys begin with {self.prefix!r}"
            raise refuse_files("foreign-object", detail)
