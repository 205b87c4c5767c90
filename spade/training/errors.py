"""What can go wrong in a training run."""

from spade.errors import SpadeError


class DivergenceError(SpadeError):
    """Losses or weights that are no longer numbers, or far beyond sense; the message names them and the way back."""
