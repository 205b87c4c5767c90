"""Models and versions that are added while a worker runs: new jobs use them, and nothing is started again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import Worker
from model_store.card import ModelCard
from spade.label_images import encode_ids_png
from support.jobs import job_spec
from support.models import add_small_model
from support.waiting import wait_until
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import State, label_map_key
from workers.redis_client import RedisClient
from workers.storage import ObjectStore
from workers.wakeup import WakeUp, create_celery


@pytest.fixture
def folder(
    service_environment: dict[str, str],
    tmp_path: Path,
    redis_client: RedisClient,  # noqa: ARG001 - empties the server
    objects: ObjectStore,  # noqa: ARG001 - as above
) -> Iterator[Path]:
    """The models folder of a worker that serves all models."""
    service = {**service_environment, "SPADE_MODELS_DIR": str(tmp_path / "models")}
    with Child(Worker(number=1, port=free_port(), service=service), log=tmp_path / "worker.log"):
        yield tmp_path / "models"


@pytest.fixture
def picture(redis_url: str, redis_client: RedisClient, objects: ObjectStore, job_store: JobStore, reader: JobReader):
    wake_up = WakeUp(create_celery(redis_url), redis_client)

    def make(job_id: str, card: ModelCard) -> bytes:
        objects.put(label_map_key(job_id, 0), encode_ids_png(np.zeros((64, 64), np.uint8)))
        changes = {"model": card.name, "model_version": card.version, "height": 64, "width": 64}
        job_store.submit(job_spec(job_id, weights_digest=card.weights.sha256, **changes))
        wake_up.send(card.name)
        wait_until(lambda: reader.job(job_id).state.is_final, f"job {job_id} has ended")
        (item,) = reader.items(reader.job(job_id))
        assert item.state is State.SUCCEEDED, item.detail
        return objects.get(item.picture_key)

    return make


def test_a_running_worker_serves_what_is_added(folder: Path, picture: Callable[[str, ModelCard], bytes]) -> None:
    first = add_small_model(folder, "newcomer")
    before = picture("a", first)
    second = add_small_model(folder, "newcomer", "2", hidden_channels=4)
    assert picture("b", second) != before
    assert picture("c", first) == before
