"""A real Celery worker process with a real model, woken through the broker, killed and stopped."""

import io
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from deploy.errors import ChildFailedError
from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.services import Worker
from spade.label_images import encode_ids_png
from support.bench import Bench
from support.bulk_jobs import submit as submit_bulk
from support.jobs import job_spec
from support.models import add_small_model
from support.waiting import wait_until
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.messages import State, label_map_key
from workers.redis_client import RedisClient, connect
from workers.storage import ObjectStore
from workers.wakeup import WakeUp, create_celery, queue_name

MODEL_SIZE = 256


@pytest.fixture
def emptied(redis_client: RedisClient, objects: ObjectStore) -> tuple[RedisClient, ObjectStore]:
    """Redis and the object store, with nothing in them."""
    return redis_client, objects


@pytest.fixture
def worker(service_environment: dict[str, str], emptied: object, tmp_path: Path) -> Iterator[Child]:
    """A started worker that serves `landscape`, with leases of two seconds."""
    assert emptied, "what a former test left must not reach this worker"
    settings = {"SPADE_WORKER_MODELS": "landscape", "SPADE_LEASE_SECONDS": "2", "SPADE_BATCH_ITEMS": "4"}
    service = {**service_environment, **settings}
    with Child(Worker(number=1, port=free_port(), service=service), log=tmp_path / "worker.log") as child:
        yield child


@pytest.fixture
def submit(redis_url: str, redis_client: RedisClient, objects: ObjectStore, job_store: JobStore) -> Callable[..., None]:
    wake_up = WakeUp(create_celery(redis_url), redis_client)

    def submit(job_id: str, items: int, *, wake: bool = True) -> None:
        rng = np.random.default_rng(0)
        for index in range(items):
            label_map = np.kron(rng.integers(0, 14, (8, 8)), np.ones((32, 32), int))
            objects.put(label_map_key(job_id, index), encode_ids_png(label_map))
        job_store.submit(job_spec(job_id, items))
        if wake:
            wake_up.send("landscape")

    return submit


def probe(worker: Child, path: str) -> httpx.Response:
    assert isinstance(worker.program, Worker)
    return httpx.get(f"http://127.0.0.1:{worker.program.port}{path}", trust_env=False)


@pytest.mark.usefixtures("worker")
def test_a_wake_up_makes_the_worker_paint(submit: Callable[..., None], reader: JobReader, objects: ObjectStore) -> None:
    submit("j", 3)
    wait_until(lambda: reader.job("j").state.is_final, "the job has ended")
    assert reader.job("j").state is State.SUCCEEDED
    pixels = []
    for item in reader.items(reader.job("j")):
        with Image.open(io.BytesIO(objects.get(item.picture_key or ""))) as picture:
            assert picture.size == (MODEL_SIZE, MODEL_SIZE)
            pixels.append(np.asarray(picture))
    assert not np.array_equal(pixels[0], pixels[1])


@pytest.mark.alone
@pytest.mark.usefixtures("worker")
def test_a_small_bulk_job_begins_when_it_is_accepted(
    redis_client: RedisClient, objects: ObjectStore, reader: JobReader, redis_url: str
) -> None:
    bench, wake_up = Bench(redis_client, objects), WakeUp(create_celery(redis_url), redis_client)
    waited = []
    for number in range(6):
        spec = submit_bulk(bench, f"j{number}", 1, stored=1, height=MODEL_SIZE, width=MODEL_SIZE)
        wake_up.send("landscape")
        wait_until(lambda spec=spec: reader.job(spec.id).state.is_final, "the job has ended")
        job = reader.job(spec.id)
        assert job.state is State.SUCCEEDED
        waited.append((job.started_ms or 0) - job.created_ms)
    assert statistics.median(waited) < 200, f"milliseconds: {waited}"


@pytest.mark.usefixtures("worker")
def test_a_lost_wake_up_costs_a_few_seconds_and_nothing_else(submit: Callable[..., None], reader: JobReader) -> None:
    submit("j", 1, wake=False)
    wait_until(lambda: reader.job("j").state is State.SUCCEEDED, "the reaper has woken the worker")


def test_items_of_a_killed_worker_are_finished_by_the_next_one(
    worker: Child, submit: Callable[..., None], reader: JobReader
) -> None:
    submit("j", 10)
    wait_until(lambda: reader.job("j").counts[State.RUNNING] > 0, "the worker has begun")
    worker.kill()
    assert not reader.job("j").state.is_final
    worker.start()
    worker.wait_ready()
    wait_until(lambda: reader.job("j").state.is_final, "the job has ended")
    job = reader.job("j")
    assert job.counts[State.SUCCEEDED] == 10
    assert max(item.attempts for item in reader.items(job)) == 2


def test_a_terminated_worker_finishes_its_batch_and_leaves_no_lease(
    worker: Child, submit: Callable[..., None], reader: JobReader
) -> None:
    submit("j", 14)
    wait_until(lambda: reader.job("j").counts[State.SUCCEEDED] > 0, "the first picture")
    worker.stop()
    counts = reader.job("j").counts
    assert counts[State.RUNNING] == 0
    assert counts[State.SUCCEEDED] > 0
    assert counts[State.QUEUED] + counts[State.SUCCEEDED] == 14
    assert reader.stats().leases == 0


def test_a_worker_that_cannot_load_its_models_ends(service_environment: dict[str, str], tmp_path: Path) -> None:
    add_small_model(tmp_path, "small")
    (tmp_path / "small" / "1" / "model.safetensors").write_bytes(b"no weights")
    changes = {"SPADE_WORKER_MODELS": "small", "SPADE_MODELS_DIR": str(tmp_path)}
    assert_does_not_start({**service_environment, **changes}, tmp_path, "model small@1: .* has sha256")


def test_a_worker_without_its_device_ends_before_it_is_given_anything(
    service_environment: dict[str, str], tmp_path: Path
) -> None:
    assert_does_not_start({**service_environment, "SPADE_DEVICE": "abacus"}, tmp_path, "there is no device 'abacus'")


def assert_does_not_start(service: dict[str, str], folder: Path, reason: str) -> None:
    program = Worker(number=1, port=free_port(), service=service)
    with (
        pytest.raises(ChildFailedError, match=rf"ended with exit code 1 before it was ready; .*{reason}"),
        Child(program, log=folder / "worker.log"),
    ):
        pytest.fail("it became ready")


def test_probes_and_metrics_answer_from_a_side_thread(
    worker: Child, submit: Callable[..., None], reader: JobReader
) -> None:
    submit("j", 2)
    wait_until(lambda: reader.job("j").state.is_final, "the job has ended")
    assert probe(worker, "/livez").status_code == 200
    assert probe(worker, "/readyz").status_code == 200
    assert probe(worker, "/else").status_code == 404
    metrics = probe(worker, "/metrics").text
    assert 'spade_pictures_total{model="landscape"} 2.0' in metrics
    assert f'spade_pixels_total{{model="landscape"}} {float(2 * MODEL_SIZE**2)}' in metrics


def test_a_wake_up_without_a_broker_is_only_logged(caplog: pytest.LogCaptureFixture, redis_client: RedisClient) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    for client in (redis_client, connect(nowhere)):
        WakeUp(create_celery(nowhere), client).send("landscape")
    assert caplog.text.count("wake-up not sent") == 2


def test_of_several_wake_ups_that_nobody_has_read_one_is_kept(redis_url: str, redis_client: RedisClient) -> None:
    wake_up = WakeUp(create_celery(redis_url), redis_client)
    for model in ("landscape", "landscape", "coco-stuff"):
        wake_up.send(model)
    assert redis_client.llen("{spade-celery}:synthesize.landscape") == 1
    assert redis_client.llen("{spade-celery}:synthesize.coco-stuff") == 1


def test_each_model_has_a_queue_of_its_own() -> None:
    assert queue_name("landscape") == "synthesize.landscape"
