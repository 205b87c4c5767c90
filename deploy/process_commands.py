"""`spade-serve api` and `worker`: one process of the service, told by its environment; for containers and systemd."""

import os
import socket
import tempfile
from pathlib import Path

import click

from deploy.exposure import require_keys
from deploy.local.services import api_command, api_environment, forget_metrics, worker_command
from model_store.options import open_registry
from model_store.registry import default_models_folder
from workers.served_models import ServedModels
from workers.settings import Settings


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; one that other machines reach needs API keys.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="gunicorn workers.")
def api(host: str, port: int, processes: int) -> None:
    """Run the HTTP API alone. It becomes gunicorn, which is told by the SPADE_ variables, see README.md.

    \b
    Example:
        SPADE_REDIS_URL=redis://redis:6379/0 SPADE_S3_ENDPOINT=minio:9000 \\
        SPADE_S3_ACCESS_KEY=... SPADE_S3_SECRET_KEY=... spade-serve api --port 8080
    """
    environment = _checked_environment()
    require_keys([host], Settings.from_environment(environment))
    metrics = environment.get("PROMETHEUS_MULTIPROC_DIR") or tempfile.mkdtemp(prefix="spade-metrics-")
    forget_metrics(Path(metrics))
    command = api_command(host=host, port=port, processes=processes)
    _become(command, api_environment(environment, metrics_folder=Path(metrics)))


@click.command()
def worker() -> None:
    """Run one worker alone. It becomes a Celery worker, which is told by the SPADE_ variables, see README.md.

    \b
    Example:
        SPADE_REDIS_URL=redis://redis:6379/0 SPADE_S3_ENDPOINT=minio:9000 \\
        SPADE_S3_ACCESS_KEY=... SPADE_S3_SECRET_KEY=... SPADE_DEVICE=cuda spade-serve worker
    """
    environment = _checked_environment()
    settings = Settings.from_environment(environment)
    ServedModels(
        settings.worker.models, open_registry(settings.models_dir)
    )  # raises here rather than in the process's log
    _become(worker_command(hostname=f"worker-{os.getpid()}@{socket.gethostname()}"), environment)


def _checked_environment() -> dict[str, str]:
    """Our environment with the models folder in it. Raises `SettingsError` here rather than in the process's log."""
    environment = {"SPADE_MODELS_DIR": str(default_models_folder()), **os.environ}
    Settings.from_environment(environment)
    return environment


def _become(command: list[str], environment: dict[str, str]) -> None:
    os.execve(command[0], command, environment)  # noqa: S606 - a list, no shell
