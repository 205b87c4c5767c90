"""Errors of running the service on one machine. Each is one line that says what to do about it."""


class DeployError(Exception):
    """Base of what a `spade-serve` command answers with one line and exit code 1."""


class MissingProgramError(DeployError):
    """A program that a part of the stack needs is not installed."""


class PortTakenError(DeployError):
    """A port that was asked for is in use by somebody else."""


class StateError(DeployError):
    """The state folder cannot be used: not writable, damaged, or in use by another stack."""


class ChildFailedError(DeployError):
    """A child process ended, or did not answer in time, before it was ready."""


class TorchServeError(DeployError):
    """TorchServe does not do what it was told."""


class TorchServeAwayError(TorchServeError):
    """TorchServe does not answer."""


class BenchmarkError(DeployError):
    """A benchmark could not be run to its end."""
