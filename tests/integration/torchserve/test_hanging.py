"""A TorchServe that hangs is killed and started again; who waits for a picture is told to try again."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.local.child import Child
from deploy.local.supervisor import Supervisor
from deploy.torchserve.keeper import models_kept
from deploy.torchserve.server import TorchServe, TorchServePorts
from model_store.card import ModelCard
from model_store.registry import Registry
from model_store.torchserve.config import ArchiveConfig, BackendConfig
from support.engine_inputs import inputs_of, label_maps
from support.waiting import wait_until
from workers.errors import EngineUnavailableError
from workers.inputs import Inputs
from workers.torchserve_engine import TorchServeEngine
from workers.torchserve_settings import TorchServeSettings

CONFIG = ArchiveConfig(batch_delay_ms=1, backend=BackendConfig(device="cpu", threads=2))


@pytest.fixture
def supervised_child(registry: Registry) -> Iterator[tuple[Child, list[str]]]:
    """A TorchServe with `reader` that counts as hung after three questions, and what its supervisor tells."""
    with tempfile.TemporaryDirectory(prefix="spade-") as short:  # the names of sockets in it are
        server = TorchServe(folder=Path(short) / "ts", ports=TorchServePorts.free(), hung_seconds=2.0)
        child, told, ready = Child(server, log=Path(short) / "torchserve.log"), list[str](), threading.Event()
        supervisor = Supervisor([[child]], report=told.append)
        with (
            models_kept(server, registry, config=CONFIG, report=told.append, names=["reader"]),
            ThreadPoolExecutor(1) as pool,
        ):
            ended = pool.submit(supervisor.run, on_ready=ready.set)
            assert ready.wait(60)
            yield child, told
            supervisor.stop()
            ended.result()


def test_pictures_are_made_again_after_java_hung(
    supervised_child: tuple[Child, list[str]], reader_card: ModelCard
) -> None:
    child, told = supervised_child
    server, inputs = child.program, inputs_of(reader_card, label_maps(reader_card, 1))
    assert isinstance(server, TorchServe)
    settings = TorchServeSettings(url=server.url, key_file=server.key_file)
    with (
        closing(TorchServeEngine(settings, at_once=1)) as engine,
        ThreadPoolExecutor(1) as pool,
    ):
        before, pid = picture_once_it_can_be_made(engine, inputs), child.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        waiting = pool.submit(engine.synthesize, inputs)
        with pytest.raises(EngineUnavailableError, match="does not answer"):
            waiting.result(60)
        wait_until(lambda: told.count("torchserve has not answered for 2 s; it is started again in 0.1 s"), "a word")
        wait_until(lambda: child.pid != pid and server.is_ready(), "another TorchServe")
        assert np.array_equal(picture_once_it_can_be_made(engine, inputs), before)


def picture_once_it_can_be_made(engine: TorchServeEngine, inputs: Inputs) -> NDArray[np.uint8]:
    """As a worker asks: again, where a connection is of the process that is gone."""
    pictures: list[NDArray[np.uint8]] = []

    def asked() -> list[NDArray[np.uint8]]:
        with suppress(EngineUnavailableError):
            pictures.append(engine.synthesize(inputs))
        return pictures

    wait_until(asked, "a picture is made")
    return pictures[0]
