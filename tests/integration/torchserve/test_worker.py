"""A real worker process whose pictures TorchServe makes, while backends and TorchServe itself are killed."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import Worker
from deploy.torchserve.keeper import models_kept
from deploy.torchserve.management import TorchServeManagement
from deploy.torchserve.server import TorchServe, TorchServePorts, torchserve_settings
from model_store.card import ModelCard
from model_store.registry import Registry
from model_store.torchserve.config import ArchiveConfig, BackendConfig
from spade.label_images import encode_ids_png
from support.engine_inputs import label_maps
from support.jobs import job_spec
from support.waiting import wait_until
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import State, label_map_key
from workers.redis_client import RedisClient
from workers.storage import ObjectStore
from workers.wakeup import WakeUp, create_celery

Submit = Callable[[str, int], None]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Child]:
    """A TorchServe for one test alone, kept to the model `landscape`, the only one there is for a worker."""
    server = TorchServe(folder=tmp_path / "ts", ports=TorchServePorts.free())
    config = ArchiveConfig(batch_items=4, backend=BackendConfig(device="cpu"))
    with (
        Child(server, log=tmp_path / "torchserve.log") as child,
        models_kept(server, Registry(None), config=config, report=lambda _: None, names=["landscape"]),
    ):
        yield child


@pytest.fixture
def management(own: Child) -> Iterator[TorchServeManagement]:
    assert isinstance(own.program, TorchServe)
    with TorchServeManagement(own.program.management_url, own.program.key_file) as management:
        yield management


@pytest.fixture
def emptied(redis_client: RedisClient, objects: ObjectStore) -> tuple[RedisClient, ObjectStore]:
    """Redis and the object store, with nothing in them."""
    return redis_client, objects


@pytest.fixture
def worker(service_environment: dict[str, str], emptied: object, own: Child, tmp_path: Path) -> Iterator[Child]:
    assert isinstance(own.program, TorchServe)
    assert emptied, "what a former test left must not reach this worker"
    service = {
        **service_environment,
        **torchserve_settings(own.program),
        "SPADE_WORKER_MODELS": "landscape",
        "SPADE_BATCH_ITEMS": "4",
    }
    with Child(Worker(number=1, port=free_port(), service=service), log=tmp_path / "worker.log") as child:
        yield child


@pytest.fixture
def submit(redis_url: str, redis_client: RedisClient, objects: ObjectStore, job_store: JobStore) -> Submit:
    wake_up = WakeUp(create_celery(redis_url), redis_client)
    card: ModelCard = Registry(None).card("landscape")

    def submit(job_id: str, items: int) -> None:
        for index, label_map in enumerate(label_maps(card, items)):
            objects.put(label_map_key(job_id, index), encode_ids_png(label_map))
        job_store.submit(job_spec(job_id, items))
        wake_up.send("landscape")

    return submit


def ended(reader: JobReader, job_id: str) -> bool:
    return reader.job(job_id).state.is_final


def test_a_worker_without_torch_has_its_pictures_made_and_outlives_a_killed_backend(
    worker: Child, management: TorchServeManagement, submit: Submit, reader: JobReader
) -> None:
    submit("first", 3)
    wait_until(lambda: ended(reader, "first"), "the first job has ended")
    assert reader.job("first").counts[State.SUCCEEDED] == 3
    assert "libtorch" not in Path(f"/proc/{worker.pid}/maps").read_text()

    submit("second", 24)
    wait_until(lambda: reader.job("second").counts[State.SUCCEEDED] > 0, "the first picture")
    (backend,) = management.backend_pids("landscape@1")
    os.kill(backend, signal.SIGKILL)
    wait_until(lambda: ended(reader, "second"), "the second job has ended")
    assert reader.job("second").counts[State.SUCCEEDED] == 24
    assert management.backend_pids("landscape@1") != [backend]


def test_work_goes_on_by_itself_when_torchserve_is_back(
    worker: Child, own: Child, submit: Submit, reader: JobReader
) -> None:
    submit("before", 1)  # the worker may be ready before TorchServe knows the model
    wait_until(lambda: ended(reader, "before"), "the model is loaded and has made a picture")
    own.kill()
    submit("j", 4)
    wait_until(lambda: "engine away" in worker.log.read_text(), "the worker has tried")
    own.start()
    own.wait_ready()
    wait_until(lambda: ended(reader, "j"), "the job has ended")
    items = list(reader.items(reader.job("j")))
    assert [item.state for item in items] == [State.SUCCEEDED] * 4
    assert all(item.reason is None for item in items)
