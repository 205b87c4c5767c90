"""Models and versions that are added or replaced while a worker runs: new jobs use them, nothing is started again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import Worker
from model_store.card import ModelCard
from model_store.versions import remove_version
from spade.label_images import encode_ids_png
from support.jobs import job_spec
from support.models import add_small_model
from support.waiting import wait_until
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import ItemView, State, label_map_key
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
def submit(objects: ObjectStore, job_store: JobStore) -> Callable[[str, ModelCard], None]:
    def submit(job_id: str, card: ModelCard) -> None:
        objects.put(label_map_key(job_id, 0), encode_ids_png(np.zeros((64, 64), np.uint8)))
        changes = {"model": card.name, "model_version": card.version, "height": 64, "width": 64}
        job_store.submit(job_spec(job_id, weights_digest=card.weights.sha256, **changes))

    return submit


@pytest.fixture
def ended(redis_url: str, redis_client: RedisClient, reader: JobReader) -> Callable[[str], ItemView]:
    """The item of a job, once a worker was told that there is work and has ended it."""
    wake_up = WakeUp(create_celery(redis_url), redis_client)

    def ended(job_id: str) -> ItemView:
        wake_up.send(reader.job(job_id).model)
        wait_until(lambda: reader.job(job_id).state.is_final, f"job {job_id} has ended")
        return reader.item(job_id, 0)

    return ended


@pytest.fixture
def picture(
    submit: Callable[[str, ModelCard], None], ended: Callable[[str], ItemView], objects: ObjectStore
) -> Callable[[str, ModelCard], bytes]:
    def make(job_id: str, card: ModelCard) -> bytes:
        submit(job_id, card)
        item = ended(job_id)
        assert item.state is State.SUCCEEDED, item.detail
        return objects.get(item.picture_key)

    return make


def test_a_running_worker_serves_what_is_added(folder: Path, picture: Callable[[str, ModelCard], bytes]) -> None:
    first = add_small_model(folder, "newcomer")
    before = picture("a", first)
    second = add_small_model(folder, "newcomer", "2", hidden_channels=4)
    assert picture("b", second) != before
    assert picture("c", first) == before


def test_jobs_that_wait_while_their_model_is_replaced_fail_and_new_ones_are_made(
    folder: Path, submit: Callable[[str, ModelCard], None], ended: Callable[[str], ItemView]
) -> None:
    before = add_small_model(folder, "z", "2")
    submit("old", before)
    remove_version(folder, "z", "2")
    after = add_small_model(folder, "z", "2", hidden_channels=4)
    submit("new", after)
    assert ended("new").state is State.SUCCEEDED
    item = ended("old")
    assert (item.state, item.reason) == (State.FAILED, "model-unusable")
    assert item.detail == (
        "ReplacedModelError: model z@2 was replaced since the job was submitted: its weights had sha256 "
        f"{before.weights.sha256}, now {after.weights.sha256}; submit the job again"
    )
