"""How gunicorn runs the API, on one machine and in a container. Addresses and counts come from the command line."""

import os
from itertools import count
from pathlib import Path
from typing import Any

from api.services import stop_traces
from deploy.counters import count_as
from deploy.exposure import ExposedError, require_keys
from deploy.local.tether import die_with_parent
from workers.errors import SettingsError
from workers.logs import log_json_lines
from workers.settings import Settings

worker_class = "deploy.gunicorn_worker.PatientWorker"
threads = 16  # those of api.services that may wait or stream, and some for other requests
keepalive = 5
timeout = 120
graceful_timeout = 8
control_socket_disable = True
# What proxies say is judged by the API alone, which believes as many as SPADE_TRUSTED_PROXIES tells.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
# gunicorn's own lines as the others are, without anybody's key.
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "workers.logs.JsonLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False}},
}


def on_starting(server: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """End here, before anything listens, rather than be open to everybody."""
    hosts = [address if isinstance(address, str) else address[0] for address in server.cfg.address]
    try:
        settings = Settings.from_environment(os.environ)
        server.log.error_log.setLevel(settings.log_level.upper())
        require_keys(hosts, settings)
    except (ExposedError, SettingsError) as error:
        raise SystemExit(f"Error: {error}") from error


def pre_fork(server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Give the process the lowest number that is free, so that one that replaces a dead one has the dead one's."""
    taken = {other.number for other in server.WORKERS.values()}
    worker.number = next(number for number in count() if number not in taken)


def post_fork(server: Any, worker: Any) -> None:  # noqa: ANN401 - as above
    """A worker whose master was killed would keep the port; it goes with it."""
    die_with_parent(server.pid)
    log_json_lines(Settings.from_environment(os.environ).log_level)  # as api.wsgi does, which is loaded later
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        count_as(worker.number, Path(folder))


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """In the process that ends, when its requests are answered."""
    if (app := getattr(worker, "wsgi", None)) is not None:
        stop_traces(app.extensions)
