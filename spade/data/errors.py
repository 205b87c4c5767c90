"""Errors of datasets that a user can mend."""

from collections.abc import Sequence

from spade.errors import SpadeError

NAMES_IN_MESSAGE = 20


class DatasetError(SpadeError):
    """A dataset, or one of its files, that cannot be used as it lies; the message names the file or folder."""


class PairingError(DatasetError):
    """Label maps, pictures and instance maps that do not belong together one by one.

    `problems` are all of them, one line each; the message holds the first 20.
    """

    def __init__(self, folder: str, problems: Sequence[str]) -> None:
        shown = "; ".join(problems[:NAMES_IN_MESSAGE])
        rest = len(problems) - NAMES_IN_MESSAGE
        more = f"; and {rest} more, which `spade dataset inspect` lists" if rest > 0 else ""
        count = f"{len(problems)} broken pair{'s' if len(problems) > 1 else ''}"
        super().__init__(f"{folder}: {count}: {shown}{more}")
        self.problems = tuple(problems)
