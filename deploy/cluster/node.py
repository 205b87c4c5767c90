"""What a pod of a training run runs: `python -m deploy.cluster.node`, told by its environment.

Its exit status says whether the pod is to be started again: 0 and EXIT_BAD_CONFIGURATION end it, all else does not, and
all but EXIT_ALONE counts as a failure.
"""

import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Final

import click

from deploy.cluster.dataset import fetch_dataset
from deploy.cluster.finished import is_finished
from deploy.cluster.node_settings import NodeSettings
from deploy.cluster.registration import Registration
from deploy.cluster.rendezvous import wait_for_rendezvous
from deploy.cluster.torchrun import EXIT_ALONE, EXIT_STOPPED, JOIN_SECONDS, run_torchrun, torchrun_command
from deploy.errors import DeployError
from deploy.model_transfer import TransferError
from model_store.errors import CardError
from spade.data.errors import DatasetError
from spade.errors import ConfigError, SpadeError
from spade.training.checkpoint_store import S3_SCHEME
from spade.training.commands import EXIT_BAD_CONFIGURATION
from spade.training.presets import complete_config
from spade.training.toml_files import read_toml
from workers.errors import ServiceError, SettingsError
from workers.settings import StorageSettings

_HOPELESS: Final = (ConfigError, SettingsError, DatasetError, CardError, TransferError)


def run_node(settings: NodeSettings, environment: Mapping[str, str]) -> int:
    """Trains, together with the other nodes, and registers the model; what has been done before is not done again.

    Returns the exit status. Raises the errors of `_HOPELESS`: where another try will not help.
    """
    config = complete_config(read_toml(settings.config), where=str(settings.config))
    # A pod may die after the training and before its own end, when others have ended already and will not come back.
    trained = is_finished(config, settings.checkpoints, environment)
    registration = _registration(settings, environment)
    if trained and (registration is None or registration.is_done()):
        click.echo("all has been done before")
        return 0
    if registration is not None:
        registration.require_possible(config)
    if settings.data.startswith(S3_SCHEME):
        fetched = fetch_dataset(settings.data, settings.fetch_folder, StorageSettings.from_environment(environment))
        click.echo(f"{settings.data}: {fetched} files fetched to {settings.fetch_folder}")
    if not trained:
        if not (settings.is_first or wait_for_rendezvous(settings.rendezvous, seconds=JOIN_SECONDS)):
            click.echo(f"Error: nothing answered at {settings.rendezvous} within {JOIN_SECONDS} s", err=True)
            return EXIT_ALONE
        status = run_torchrun(torchrun_command(settings), environment)
        if status:
            return status
    if registration is not None:
        registration.complete(
            device=settings.device or config.device, dataroot=settings.dataroot, data=settings.data or None
        )
        click.echo(f"{registration.reference} is in the object store")
    return 0


def _registration(settings: NodeSettings, environment: Mapping[str, str]) -> Registration | None:
    """Of the first node, where the run is to become a model."""
    if not (settings.is_first and settings.model):
        return None
    return Registration(reference=settings.model, checkpoints=settings.checkpoints, environment=environment)


def main() -> None:
    """Entry point of `python -m deploy.cluster.node`."""
    # Process 1 of a container is not ended by a signal that it does not handle.
    signal.signal(signal.SIGTERM, _end)
    try:
        sys.exit(run_node(NodeSettings.from_environment(os.environ), os.environ))
    except _HOPELESS as error:
        _fail(error, EXIT_BAD_CONFIGURATION)
    except (SpadeError, ServiceError, DeployError) as error:
        _fail(error, 1)


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(EXIT_STOPPED)


def _fail(error: Exception, status: int) -> None:
    click.echo(f"Error: {error}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
