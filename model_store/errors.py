"""What can be wrong with a stored model."""

from spade.errors import SpadeError


class UnknownModelError(SpadeError):
    """No model, version or palette of that name; the message lists what exists."""


class CardError(SpadeError):
    """A card.json that cannot be read or contradicts itself."""


class WeightsError(SpadeError):
    """Weights that are absent, cannot be written, or are not the ones that their card names."""
