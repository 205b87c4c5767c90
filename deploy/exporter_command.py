"""`spade-serve exporter`: the queue's figures for Prometheus. Run as a module too, which loads nothing else."""

import logging
import signal
import threading
from pathlib import Path

import click

from deploy.errors import DeployError
from workers.exporter import create_exporter
from workers.logs import log_json_lines

_log = logging.getLogger(__name__)


@click.command()
@click.option("--redis-url", envvar="SPADE_REDIS_URL", show_envvar=True, required=True, help="The job store.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; it asks for no key.")
@click.option("--port", type=click.IntRange(1, 65535), default=9108, show_default=True)
@click.option(
    "--disk",
    "folders",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A folder whose disk's size and free room to tell as well; may be repeated.",
)
def exporter(redis_url: str, host: str, port: int, folders: tuple[Path, ...]) -> None:
    """Serve the queue's figures for Prometheus. The service needs one of these, however many APIs and workers it has.

    \b
    Example:
        SPADE_REDIS_URL=redis://redis:6379/0 spade-serve exporter --port 9108
    """
    try:
        server = create_exporter(redis_url, host=host, port=port, folders=folders)
    except OSError as error:
        raise DeployError(f"metrics cannot be served at {host}:{port}: {error.strerror}") from error
    except ValueError as error:
        raise DeployError(f"the address of the job store cannot be used: {error}") from error
    log_json_lines("info")
    _log.info("metrics are served", extra={"host": host, "port": port})
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    server.start()
    stopping.wait()
    server.stop()


if __name__ == "__main__":
    exporter()
