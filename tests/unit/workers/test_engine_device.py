"""What a worker says that it computes on."""

from model_store.registry import Registry
from spade.device import device_title, pick_device
from workers.engine import LocalEngine
from workers.settings import WorkerSettings


def test_the_device_that_was_found_is_told_rather_than_the_setting() -> None:
    engine = LocalEngine(Registry(None), WorkerSettings(device="auto"))
    assert engine.device() == device_title(pick_device("auto"))
