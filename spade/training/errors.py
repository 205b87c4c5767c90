"""What can go wrong in a training run."""

from spade.errors import SpadeError


class DivergenceError(SpadeError):
    """Losses or weights that are no longer numbers, or far beyond sense; the message names them and the way back."""


class ProcessLostError(SpadeError):
    """Another process of the same training is gone; what that one said is the reason."""


class FolderInUseError(SpadeError):
    """Another run writes to the same folder."""
