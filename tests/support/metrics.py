"""Every metric that the project's processes export."""

import re

from prometheus_client import CollectorRegistry, generate_latest

from api.metrics import ApiMetrics
from deploy.local.ports import free_port
from spade.training.prometheus import TrainingMetrics
from workers.exporter import DiskCollector
from workers.job_reader import JobReader
from workers.metrics import StorageMetrics, WorkerMetrics
from workers.operations import OperationsReader
from workers.queue_metrics import QueueCollector
from workers.redis_client import RedisClient

_TYPE = re.compile(r"^# TYPE (\w+) (counter|gauge|histogram)$", re.MULTILINE)


def exported_metrics(redis_client: RedisClient) -> dict[str, str]:
    """The type of each metric, by its name: counter, gauge or histogram."""
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    StorageMetrics(registry)
    registry.register(QueueCollector(JobReader(redis_client), OperationsReader(redis_client)))
    registry.register(DiskCollector([]))
    training = TrainingMetrics(free_port())
    try:
        pages = (
            generate_latest(registry).decode(),
            ApiMetrics().page().get_data(as_text=True),
            generate_latest(training.registry).decode(),
        )
    finally:
        training.ended("")
    return {name: kind for name, kind in _TYPE.findall("".join(pages)) if not name.endswith("_created")}


def exported_series(redis_client: RedisClient) -> set[str]:
    """The names of all series; a histogram has several."""
    return {
        f"{name}{suffix}"
        for name, kind in exported_metrics(redis_client).items()
        for suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))
    }
