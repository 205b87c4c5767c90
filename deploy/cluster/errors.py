"""What can go wrong with a cluster."""

from deploy.errors import DeployError


class ClusterError(DeployError):
    """The cluster does not answer, or refuses; the message says what kubectl says."""


class RunError(DeployError):
    """A training run that cannot be, or that there is none of."""
