"""The engine that a worker is told to use."""

from model_store.registry import Registry
from workers.engine import Engine, LocalEngine
from workers.settings import WorkerSettings
from workers.torchserve_engine import TorchServeEngine


def choose_engine(registry: Registry, settings: WorkerSettings) -> Engine:
    """TorchServe where the settings say where it is, else SPADE in this process."""
    if settings.torchserve is None:
        return LocalEngine(registry, settings)
    return TorchServeEngine(settings.torchserve, at_once=settings.batch_items)
