"""Errors that a user can mend. `str(error)` is one clear line: the thing, its value and what would have been right."""


class SpadeError(Exception):
    """Base of every error that a command answers with one line and a service with a problem report."""


class ConfigError(SpadeError):
    """A configuration that contradicts itself, or a value (a picture size, for instance) that does not fit it."""


class CheckpointError(SpadeError):
    """A weights file that is missing, damaged, unsafe, or does not fit the architecture it is loaded into."""


class DeviceError(SpadeError):
    """A device that was asked for and that this machine does not have."""


class OutOfMemoryError(SpadeError):
    """The device ran out of memory during a batch; a smaller batch or picture may fit."""


class ParityError(SpadeError):
    """A parity file that cannot be read or lacks what a check needs."""
