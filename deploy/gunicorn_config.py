"""How gunicorn runs the API, on one machine and in a container. Addresses and counts come from the command line."""

import os
from itertools import count
from pathlib import Path
from typing import Any

from deploy.counters import count_as
from deploy.local.tether import die_with_parent
from workers.logs import log_json_lines

worker_class = "deploy.gunicorn_worker.PatientWorker"
threads = 16  # those of api.services that may wait or stream, and some for other requests
keepalive = 5
timeout = 120
graceful_timeout = 8
control_socket_disable = True


def pre_fork(server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn has no types
    """Give the process the lowest number that is free, so that one that replaces a dead one has the dead one's."""
    taken = {other.number for other in server.WORKERS.values()}
    worker.number = next(number for number in count() if number not in taken)


def post_fork(server: Any, worker: Any) -> None:  # noqa: ANN401 - as above
    """A worker whose master was killed would keep the port; it goes with it."""
    die_with_parent(server.pid)
    log_json_lines()  # as api.wsgi does, which is loaded later
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        count_as(worker.number, Path(folder))
