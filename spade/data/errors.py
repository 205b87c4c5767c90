"""Errors of datasets that a user can mend."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from spade.errors import SpadeError

NAMES_IN_MESSAGE = 20


class DatasetError(SpadeError):
    """A dataset, or one of its files, that cannot be used as it lies; the message names the file or folder."""


class PairingError(DatasetError):
    """Label maps, pictures and instance maps that do not belong together one by one.

    `problems` are all of them, one line each; the message holds the first 20. `lister` is what lists the others, and
    `remedy` what would be right, where that is known.
    """

    def __init__(
        self, folder: str, problems: Sequence[str], *, lister: str | None = None, remedy: str | None = None
    ) -> None:
        shown = "; ".join(problems[:NAMES_IN_MESSAGE])
        rest = len(problems) - NAMES_IN_MESSAGE
        more = f"; and {rest} more" + (f", which `{lister}` lists" if lister else "") if rest > 0 else ""
        more += f"; {remedy}" if remedy else ""
        count = f"{len(problems)} broken pair{'s' if len(problems) > 1 else ''}"
        super().__init__(f"{folder}: {count}: {shown}{more}")
        self.problems = tuple(problems)


class ReaderLostError(SpadeError):
    """A process that read samples ahead is gone, most often for want of memory."""


@contextmanager
def lost_readers_told() -> Iterator[None]:
    """Turns what torch raises when a process that reads samples dies into ReaderLostError.

    torch raises it wherever the program is at that moment, so this belongs around all that goes on meanwhile.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        said = str(error).strip().rstrip(".")
        raise ReaderLostError(
            f"a process that reads samples is gone: {said}; if memory is short, lower workers"
        ) from error
