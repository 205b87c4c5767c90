"""`spade-serve torchserve`: archives of models, and a TorchServe that serves them, for workers with that engine."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import click

from deploy.errors import TorchServeError
from deploy.local.child import Child
from deploy.local.locks import held_alone
from deploy.local.signals import stopped_by_signals
from deploy.local.supervisor import Supervisor
from deploy.options import Command
from deploy.torchserve.keeper import models_kept
from deploy.torchserve.management import TorchServeManagement
from deploy.torchserve.server import TorchServe, TorchServePorts, archive_config, torchserve_settings
from model_store.options import models_dir_option, open_registry
from model_store.torchserve.archive import write_archive
from model_store.torchserve.config import ArchiveConfig
from spade.config import Precision
from workers.settings import WorkerSettings

_PORT = click.IntRange(1, 65535)


def _worker_settings(**given: Any) -> WorkerSettings:  # noqa: ANN401
    """What a worker of this environment would compute with, but for what is `given` and not None."""
    worker = WorkerSettings.from_environment({**os.environ, "SPADE_ENGINE": ""})  # the worker's own need no TorchServe
    return replace(worker, **{name: value for name, value in given.items() if value is not None})


def _archive_options(command: Command) -> Command:
    """Options of what archives say; the command is given `config`, an ArchiveConfig."""

    @wraps(command)
    def configured(
        *,
        batch_items: int | None,
        batch_delay_ms: int,
        device: str | None,
        threads: int | None,
        precision: str | None,
        **rest: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - as click has it
        chosen = None if precision is None else Precision(precision)
        worker = _worker_settings(batch_items=batch_items, device=device, threads=threads, precision=chosen)
        return command(config=replace(archive_config(worker), batch_delay_ms=batch_delay_ms), **rest)

    default = WorkerSettings()
    options: list[Callable[[Any], Any]] = [
        click.option(
            "--batch-items",
            type=click.IntRange(1),
            show_default=f"SPADE_BATCH_ITEMS, or {default.batch_items}",
            help="Pictures that are computed together, at most.",
        ),
        click.option(
            "--batch-delay-ms",
            type=click.IntRange(1),
            default=ArchiveConfig().batch_delay_ms,
            show_default=True,
            help="How long an incomplete batch waits for more.",
        ),
        click.option("--device", show_default=f"SPADE_DEVICE, or {default.device}"),
        click.option(
            "--threads",
            type=click.IntRange(0),
            show_default=f"SPADE_THREADS, or {default.threads}",
            help="CPU threads of a model; 0: as many as there are CPUs.",
        ),
        click.option(
            "--precision",
            type=click.Choice([one.value for one in Precision]),
            show_default=f"SPADE_PRECISION, or {default.precision.value}",
        ),
    ]
    decorated: Any = configured
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _server_options(command: Command) -> Command:
    """Options that say which TorchServe is meant."""
    url = click.option("--url", required=True, help="Address of its management API, like http://127.0.0.1:8081.")
    key_file = click.option(
        "--key-file",
        required=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The key_file.json that it has written.",
    )
    return url(key_file(command))


@click.group()
def torchserve() -> None:
    """Have pictures made by TorchServe: pack models for it, and run it.

    `spade-serve up --engine torchserve` needs none of these. They are for services of several machines, and for a
    TorchServe of your own. TorchServe's project is archived and gets no more fixes: keep it on 127.0.0.1, as these
    commands do.

    \b
    Examples:
        spade-serve torchserve archive landscape -o archives
        spade-serve torchserve serve --folder torchserve
    """


@torchserve.command()
@click.argument("reference")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder; this one if not given.",
)
@models_dir_option
@_archive_options
def archive(reference: str, output: Path, models_dir: Path | None, config: ArchiveConfig) -> None:
    """Pack a model, NAME or NAME@VERSION, into an archive for TorchServe.

    \b
    Example:
        spade-serve torchserve archive landscape -o archives
    """
    registry = open_registry(models_dir)
    click.echo(str(write_archive(registry, registry.resolve(reference), output, config)))


@torchserve.command()
@click.option(
    "--folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where all that it writes goes, its key_file.json too.",
)
@click.option("--port", type=_PORT, default=8085, show_default=True, help="Of its inference API.")
@click.option("--management-port", type=_PORT, default=8086, show_default=True)
@click.option("--metrics-port", type=_PORT, default=8087, show_default=True, help="For Prometheus.")
@click.option(
    "--model",
    "models",
    multiple=True,
    show_default="those of SPADE_WORKER_MODELS, or all that there are",
    help="Name of a model to serve.",
)
@models_dir_option
@_archive_options
def serve(
    folder: Path,
    port: int,
    management_port: int,
    metrics_port: int,
    models: tuple[str, ...],
    models_dir: Path | None,
    config: ArchiveConfig,
) -> None:
    """Run a TorchServe on 127.0.0.1 that has the models of the models folder, until Ctrl-C.

    It serves what workers of its environment would, and computes as they would, also by SPADE_COMPILE and
    SPADE_CACHE_BYTES. Versions that are added meanwhile are served too. It ends when TorchServe does not start; a
    TorchServe that dies is started again. Workers beside it need SPADE_ENGINE=torchserve, SPADE_TORCHSERVE_URL and
    SPADE_TORCHSERVE_KEY_FILE.

    \b
    Example:
        spade-serve torchserve serve --folder torchserve --model landscape
    """
    registry = open_registry(models_dir)
    names = [registry.card(name).name for name in models] or _worker_settings().models
    if len({port, management_port, metrics_port}) < 3:
        raise click.UsageError(
            f"--port {port}, --management-port {management_port} and --metrics-port {metrics_port} must differ"
        )
    free = TorchServePorts.free()
    ports = TorchServePorts(
        inference=port,
        management=management_port,
        metrics=metrics_port,
        grpc_inference=free.grpc_inference,
        grpc_management=free.grpc_management,
    )
    server = TorchServe(folder=folder.absolute(), ports=ports)
    log = server.folder / "torchserve.log"
    supervisor = Supervisor([[Child(server, log=log)]], report=_say)
    stopped_by_signals(supervisor.stop)
    _say(f"Starting; its log is {log}")
    with held_alone(server.folder), models_kept(server, registry, config=config, report=_say, names=names):
        supervisor.run(
            on_ready=lambda: _say(
                "\n  ".join(["TorchServe is up. For workers:", *map("=".join, torchserve_settings(server).items())])
            )
        )
    _say("Stopped.")


@torchserve.command()
@click.argument("reference")
@click.option(
    "--model-store",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder from which it takes archives.",
)
@_server_options
@models_dir_option
@_archive_options
def register(
    reference: str, model_store: Path, url: str, key_file: Path, models_dir: Path | None, config: ArchiveConfig
) -> None:
    """Pack a model and have a TorchServe of your own serve it.

    \b
    Example:
        spade-serve torchserve register landscape --model-store /srv/models --url http://127.0.0.1:8081 \\
          --key-file /srv/key_file.json
    """
    registry = open_registry(models_dir)
    card = registry.resolve(reference)
    packed = write_archive(registry, card, model_store, config)
    with TorchServeManagement(url, key_file) as management:
        management.register(card.reference, packed.name, seconds=config.startup_seconds + 10)
    click.echo(f"TorchServe serves {card.reference}")


@torchserve.command()
@click.argument("reference")
@_server_options
def unregister(reference: str, url: str, key_file: Path) -> None:
    """Have a TorchServe of your own forget a model, NAME@VERSION.

    \b
    Example:
        spade-serve torchserve unregister landscape@1 --url http://127.0.0.1:8081 --key-file /srv/key_file.json
    """
    with TorchServeManagement(url, key_file) as management:
        served = sorted(management.models())
        if reference not in served:
            has = f"it has: {', '.join(served)}" if served else "it has none"
            raise TorchServeError(f"TorchServe at {url} has no model {reference!r}, NAME@VERSION; {has}")
        management.unregister(reference)
    click.echo(f"TorchServe serves {reference} no longer")


def _say(event: str) -> None:
    click.echo(event, err=True)
