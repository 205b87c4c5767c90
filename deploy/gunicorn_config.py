"""How gunicorn runs the API, on one machine and in a container. Addresses and counts come from the command line."""

from typing import Any

from prometheus_client import multiprocess

from deploy.local.tether import die_with_parent

worker_class = "gthread"
threads = 8
timeout = 120
graceful_timeout = 8
control_socket_disable = True


def post_fork(server: Any, worker: Any) -> None:  # noqa: ANN401, ARG001 - gunicorn has no types
    """A worker whose master was killed would keep the port; it goes with it."""
    die_with_parent(server.pid)


def child_exit(server: Any, worker: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Drop the gauges of a process that is gone."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # the library is untyped here
