"""The whole service over HTTP: real API, Redis, object store and worker, with real models."""

import io
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.client import SpadeClient
from api.parameters import JobParameters
from deploy.local.child import Child
from deploy.local.servers import S3Server
from deploy.local.services import Worker
from deploy.local.stack import LocalStack, running
from support.programs import SPADE
from support.servers import storage_of
from support.waiting import wait_until
from workers.messages import State
from workers.storage import ObjectStore


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[LocalStack]:
    environment = {**os.environ, "SPADE_MODELS_DIR": str(models_dir), "SPADE_LEASE_SECONDS": "3", "SPADE_DEVICE": "cpu"}
    state = tmp_path_factory.mktemp("stack")
    with running(LocalStack(state, environment=environment, report=lambda _: None)) as stack:
        yield stack


@pytest.fixture
def client(stack: LocalStack) -> Iterator[SpadeClient]:
    with SpadeClient(stack.url) as client:
        yield client


def child(stack: LocalStack, kind: type) -> Child:
    return next(child for child in stack.children if isinstance(child.program, kind))


def object_store(stack: LocalStack) -> ObjectStore:
    server = child(stack, S3Server).program
    assert isinstance(server, S3Server)
    return ObjectStore(storage_of(server))


@dataclass(frozen=True)
class Request:
    model: str
    label_maps: list[Path]
    seed: int
    size: str | None = None


def draw_label_maps(folder: Path, *, classes: int, count: int) -> list[Path]:
    """Label maps of large regions, of sizes that differ from one another and from the models'."""
    folder.mkdir()
    draw = random.Random(count)  # noqa: S311 - pictures, not secrets
    paths = []
    for number in range(count):
        width, height = draw.randint(40, 400), draw.randint(40, 400)
        ids = np.full((height, width), draw.randrange(classes), np.uint8)
        for _ in range(6):
            left, top = draw.randrange(width), draw.randrange(height)
            ids[top : top + height // 2, left : left + width // 2] = draw.choice([*range(classes), 255])
        path = folder / f"map-{number:02}-{width}x{height}.png"
        Image.fromarray(ids).save(path)
        paths.append(path)
    return paths


def synthesize(request: Request, out: Path, models_dir: Path) -> dict[str, np.ndarray]:
    """What `spade synthesize` makes of the same files, by file name."""
    command = [str(SPADE), "synthesize", request.model, *map(str, request.label_maps)]
    command += ["--output", str(out), "--seed", str(request.seed), "--models-dir", str(models_dir), "--device", "cpu"]
    command += ["--size", request.size] if request.size else []
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return {path.name: pixels(path.read_bytes()) for path in out.glob("*.png")}


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture).astype(int)


@pytest.mark.timeout(900)  # a minute on an idle machine
def test_fifty_items_survive_the_death_of_their_worker_and_equal_the_command_line(
    stack: LocalStack, client: SpadeClient, models_dir: Path, tmp_path: Path
) -> None:
    for_coco = draw_label_maps(tmp_path / "coco", classes=182, count=24)
    requests = [
        Request("landscape", draw_label_maps(tmp_path / "landscape", classes=13, count=26), seed=11),
        Request("coco-stuff", for_coco[:16], seed=12, size="64x64"),
        Request("coco-stuff", for_coco[16:], seed=13, size="96x64"),
    ]
    jobs = [
        client.submit(request.label_maps, JobParameters(model=request.model, seed=request.seed, size=request.size))
        for request in requests
    ]

    # Kill the worker while some items are done, some in its hands and some wait.
    wait_until(lambda: 0 < sum(client.job(job.id).counts.succeeded for job in jobs) < 50, "some items are done")
    worker = child(stack, Worker)
    victim = worker.pid
    assert victim is not None
    os.killpg(victim, signal.SIGKILL)
    wait_until(lambda: worker.pid != victim and worker.is_running(), "another worker")

    # Every item succeeds exactly once, with the picture that the command line makes.
    store = object_store(stack)
    attempts = []
    for request, job_id in zip(requests, [job.id for job in jobs], strict=True):
        job = client.follow(job_id)
        assert job.state is State.SUCCEEDED
        assert job.counts.succeeded == job.counts.total == len(request.label_maps)
        stored = [key.rpartition("/")[2].partition("-")[0] for key in store.keys(f"jobs/{job_id}/pictures/")]
        assert sorted(set(stored), key=int) == [str(item.index) for item in job.items]
        expected = synthesize(request, tmp_path / job_id, models_dir)
        for item in job.items:
            assert np.abs(pixels(client.picture(item)) - expected[item.file]).max() <= 1
        attempts += [item.attempts for item in job.items]
    assert max(attempts) == 2, "no item was in the hands of the worker that was killed"
