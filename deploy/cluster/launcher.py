"""torchrun, except that its exit status tells when the other nodes did not come, or are gone."""

import sys

import click
from torch.distributed.elastic.rendezvous import (
    RendezvousClosedError,
    RendezvousConnectionError,
    RendezvousTimeoutError,
)
from torch.distributed.run import main as torchrun

from deploy.cluster.torchrun import EXIT_ALONE

_OTHERS_AWAY = (RendezvousClosedError, RendezvousConnectionError, RendezvousTimeoutError)
"""The last when nodes have not come; the first node then ends, and those that wait with it meet the others."""


def main() -> None:
    """Entry point of `python -m deploy.cluster.launcher`; its arguments are those of torchrun."""
    try:
        torchrun()
    except _OTHERS_AWAY as error:
        click.echo(f"Error: the other nodes did not come, or are gone ({type(error).__name__})", err=True)
        sys.exit(EXIT_ALONE)


if __name__ == "__main__":
    main()
