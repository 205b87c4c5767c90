"""What can be wrong with a stored model."""

from pathlib import Path

from spade.errors import SpadeError


class UnknownModelError(SpadeError):
    """No model, version or palette of that name; the message lists what exists."""


class CardError(SpadeError):
    """A card.json that cannot be read or contradicts itself."""


class UnusableModelError(CardError):
    """A version in a models folder whose card cannot be used; the message says why, and what to do. `path`: its card.

    Whoever asks the service for the model is told it too, so it names no folder of the machine.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.name = path.parent.parent.name
        self.version = path.parent.name
        self.reference = f"{self.name}@{self.version}"
        super().__init__(
            f"model {self.reference} cannot be used: {reason}; restore its card, or remove the model with "
            f"`spade-serve models remove {self.reference}`"
        )


class WeightsError(SpadeError):
    """Weights that are absent, cannot be written, or are not the ones that their card names."""
