"""Names of files as messages, answers and records may carry them."""

from typing import Final

MAX_NAME_LENGTH: Final = 200


def printable(name: str) -> str:
    """A name without control characters, no longer than a line: its end says more than its beginning."""
    return "".join(character for character in name if character.isprintable())[-MAX_NAME_LENGTH:] or "unnamed"
