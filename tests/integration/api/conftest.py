"""The API over a real Redis-protocol server and a real S3 server; a worker that paints grey replaces the engine."""

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from api.app import create_app
from api.services import Services, connect_services
from spade.label_images import encode_ids_png
from support.jobs import result_of
from workers.redis_client import RedisClient
from workers.settings import Settings, StorageSettings
from workers.storage import ObjectStore


@pytest.fixture
def settings(redis_url: str, s3: StorageSettings, tmp_path: Path) -> Settings:
    return Settings(
        redis_url=redis_url, storage=s3, models_dir=tmp_path, max_items_per_job=20, max_request_bytes=4 * 2**20
    )


@pytest.fixture
def services(settings: Settings, redis_client: RedisClient, objects: ObjectStore) -> Services:  # noqa: ARG001
    """The parts that the API works with; `redis_client` and `objects` have emptied the servers."""
    return connect_services(settings)


@pytest.fixture
def make_client(services: Services) -> Callable[..., FlaskClient]:
    """A client of the API over these services, some of them replaced."""

    def make(**replaced: Any) -> FlaskClient:
        return create_app(dataclasses.replace(services, **replaced)).test_client()

    return make


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client()


@pytest.fixture
def label_map() -> bytes:
    """A label map of the landscape model, 4x4 pixels, of four classes and unknown."""
    return encode_ids_png(np.array([[0, 1, 2, 3]] * 3 + [[255] * 4], dtype=np.uint8))


@pytest.fixture
def post(client: FlaskClient, label_map: bytes) -> Callable[..., TestResponse]:
    """Submit a job as multipart: parameters by name; files as bytes or as (name, bytes)."""

    def send(
        label_maps: Sequence[Any] = (label_map,),
        *,
        path: str = "/v1/jobs",
        method: str = "POST",
        headers: dict[str, str] | None = None,
        parts: dict[str, Any] | None = None,
        **parameters: Any,
    ) -> TestResponse:
        files = [item if isinstance(item, tuple) else (f"{i}.png", item) for i, item in enumerate(label_maps)]
        data = {
            "params": json.dumps({"model": "landscape", **parameters}),
            "label_map": [(io.BytesIO(content), name) for name, content in files],
            **(parts or {}),
        }
        return client.open(path, method=method, data=data, headers=headers, content_type="multipart/form-data")

    return send


@pytest.fixture
def work(services: Services, objects: ObjectStore) -> Callable[..., int]:
    """Claim what waits, up to `items`, and publish a picture for each; tells how many."""

    def batch(items: int, model: str) -> int:
        claim = services.job_store.claim(worker="test", device="cpu", models=[model], max_items=items, max_pixels=10**9)
        if claim.batch is None:
            return 0
        results = []
        for item in claim.batch.items:
            buffer = io.BytesIO()
            Image.new("RGB", (claim.batch.width, claim.batch.height), "grey").save(buffer, item.picture_format)
            digest = hashlib.sha256(buffer.getvalue()).hexdigest()
            results.append(result_of(item, digest=digest, size_bytes=buffer.tell()))
            objects.put(results[-1].picture_key, buffer.getvalue())
        assert all(services.job_store.commit(results).published)
        return len(results)

    def run(items: int = 100, *, model: str = "landscape") -> int:
        done = 0
        while done < items and (published := batch(items - done, model)):
            done += published  # items that are identical to these wait for them
        return done

    return run


@pytest.fixture
def assert_untouched(services: Services, objects: ObjectStore) -> Callable[[], None]:
    """Nothing is queued, nothing is stored."""

    def check() -> None:
        stats = services.job_reader.stats()
        assert stats.open_items == 0
        assert list(services.job_reader.jobs("local")) == []
        assert list(objects.keys("jobs/")) == []

    return check


@pytest.fixture
def nothing_happened(assert_untouched: Callable[[], None]) -> Iterator[None]:
    """Holds at the end of the test that it left nothing behind."""
    yield
    assert_untouched()


@pytest.fixture
def finished(post: Callable[..., TestResponse], work: Callable[..., int]) -> str:
    """A job of two pictures that has succeeded."""
    job = post(seed=1, variations=2).json
    assert work() == 2
    return job["id"]


@pytest.fixture
def large_job(post: Callable[..., TestResponse], services: Services, objects: ObjectStore) -> str:
    """A job that has succeeded, with 12 pictures of 1 MiB: more than connections and their ends keep on the way."""
    job_id: str = post(variations=12).json["id"]
    claim = services.job_store.claim(worker="test", device="cpu", models=["landscape"], max_items=12, max_pixels=10**9)
    assert claim.batch is not None
    for item in claim.batch.items:
        data = np.random.default_rng(item.index).bytes(2**20)
        result = result_of(item, digest=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
        objects.put(result.picture_key, data)
        services.job_store.commit([result])
    return job_id
