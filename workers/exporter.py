"""Figures of the queue and of disks for Prometheus, from one process for the whole service."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.health import HealthServer
from workers.job_reader import JobReader
from workers.operations import OperationsReader
from workers.queue_metrics import QueueCollector
from workers.redis_client import connect_to_watch

_log = logging.getLogger(__name__)


class DiskCollector(Collector):
    """Room on the disks that hold `folders`; one that cannot be read is left out, which the log tells once."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._unread: set[Path] = set()

    def collect(self) -> Iterator[Metric]:
        """As prometheus-client asks."""
        size = GaugeMetricFamily("spade_disk_size_bytes", "Size of the disk that holds a folder", labels=["folder"])
        free = GaugeMetricFamily("spade_disk_free_bytes", "Of this size, what is free", labels=["folder"])
        for folder in self._folders:
            try:
                usage = shutil.disk_usage(folder)
            except OSError as error:
                if folder not in self._unread:
                    _log.warning("disk not read", extra={"folder": str(folder), "error": str(error)})
                self._unread.add(folder)
                continue
            self._unread.discard(folder)
            size.add_metric([str(folder)], usage.total)
            free.add_metric([str(folder)], usage.free)
        yield from (size, free)


def create_exporter(redis_url: str, *, host: str, port: int, folders: Sequence[Path]) -> HealthServer:
    """A server, not started yet, of `/metrics`, `/livez` and `/readyz`; it serves also while Redis is away.

    Raises `OSError` where the port cannot be had.
    """
    registry = CollectorRegistry()
    client = connect_to_watch(redis_url)
    registry.register(QueueCollector(JobReader(client), OperationsReader(client)))
    registry.register(DiskCollector(folders))
    return HealthServer(host=host, port=port, registry=registry, is_live=lambda: True, is_ready=lambda: True)
