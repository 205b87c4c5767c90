"""Where checkpoints are kept."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from spade.errors import CheckpointError
from spade.files import clear_partials, sync_folder, written_whole

S3_SCHEME = "s3://"


class CheckpointStore(Protocol):
    """Files by name. Every method raises CheckpointError where the place does not answer or refuses."""

    def names(self) -> list[str]:
        """Of all files, in alphabetical order."""
        ...

    def place(self, name: str) -> str:
        """How to tell a person where a file is."""
        ...

    def write(self, name: str, produce: Callable[[Path], None]) -> None:
        """Keeps what `produce` writes to the path that it is given, whole or not at all."""
        ...

    def reading(self, name: str) -> AbstractContextManager[Path]:
        """A path from which the file can be read."""
        ...

    def remove(self, name: str) -> None: ...


def open_store(place: str, environment: Mapping[str, str]) -> CheckpointStore:
    """The store at a folder or at `s3://bucket/prefix`, of which `environment` tells how to reach it.

    Raises ConfigError: where the environment lacks something.
    """
    if not place.startswith(S3_SCHEME):
        return LocalCheckpoints(Path(place))
    from spade.training.s3 import S3Checkpoints, S3Settings  # needs a package that few need

    return S3Checkpoints(place, S3Settings.from_environment(environment))


class LocalCheckpoints:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        return sorted(path.name for path in self._folder.glob("[!.]*") if path.is_file())

    def place(self, name: str) -> str:
        return str(self._folder / name)

    def write(self, name: str, produce: Callable[[Path], None]) -> None:
        try:
            clear_partials(self._folder)
            with written_whole(self._folder / name) as partial:
                produce(partial)
            # Before older ones are removed, lest a power cut keep the removals and lose this name.
            sync_folder(self._folder)
        except OSError as error:
            raise CheckpointError(f"{self.place(name)}: cannot be written: {error.strerror}") from error

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        yield self._folder / name

    def remove(self, name: str) -> None:
        try:
            (self._folder / name).unlink()
        except OSError as error:
            raise CheckpointError(f"{self.place(name)}: cannot be removed: {error.strerror}") from error
