"""A worker's loop within reach of a test, with an engine that fails on demand."""

import threading
from collections.abc import Callable

import numpy as np
from prometheus_client import CollectorRegistry

from model_store.registry import Registry
from spade.label_images import encode_ids_png
from support.jobs import job_spec
from workers.copying import Copier
from workers.filling import Filler
from workers.inputs import Inputs
from workers.job_reader import JobReader
from workers.job_store import JobStore
from workers.leases import LeaseKeeper
from workers.messages import State, job_prefix, label_map_key
from workers.metrics import WorkerMetrics
from workers.pipeline import ClaimLimits, Pipeline, PipelineParts
from workers.publishing import Publisher
from workers.recorder import Recorder
from workers.redis_client import RedisClient
from workers.served_models import ServedModels
from workers.settings import QueueSettings
from workers.storage import ObjectStore
from workers.traces import Traces

SIZE = 8


def store_inputs(objects: ObjectStore, job_id: str, items: int) -> int:
    """Store a label map for each item; tells how many bytes they have."""
    label_maps = [encode_ids_png(np.full((SIZE, SIZE), index, np.uint16)) for index in range(items)]
    for index, label_map in enumerate(label_maps):
        objects.put(label_map_key(job_id, index), label_map)
    return sum(map(len, label_maps))


class FakeEngine:
    """Paints each picture in the label map's first id and the seed, after asking `before` what it thinks of it."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.before: Callable[[Inputs], None] = lambda _: None
        self.pings: Callable[[], None] = lambda: None

    def device(self) -> str:
        return "cpu"

    def load(self, model: str, version: str) -> None:
        """Nothing to load."""

    def ping(self) -> None:
        self.pings()

    def synthesize(self, inputs: Inputs) -> np.ndarray:
        self.batches.append([item.id for item in inputs.items])
        self.before(inputs)
        pictures = np.zeros((len(inputs.items), SIZE, SIZE, 3), np.uint8)
        for picture, label_map, item in zip(pictures, inputs.label_maps, inputs.items, strict=True):
            picture[..., 0] = label_map[0, 0]
            picture[..., 1] = item.seed
        return pictures


class Bench:
    """A pipeline with everything it needs within reach of the test."""

    def __init__(
        self,
        client: RedisClient,
        objects: ObjectStore,
        *,
        batch_items: int = 4,
        read_from: ObjectStore | None = None,
        traces: Traces | None = None,
    ) -> None:
        self.client = client
        self.objects = objects
        self.engine = FakeEngine()
        self.stop = threading.Event()
        self.store = JobStore(client, QueueSettings(lease_seconds=30))
        self.reader = JobReader(client)
        self.recorder = Recorder(store=self.store, reader=self.reader, objects=objects)
        self.filler = Filler(client, store=self.store, objects=objects, at_once=25)
        self.leases = LeaseKeeper(self.store, lease_seconds=30)
        self.registry = CollectorRegistry()
        self.woken: list[str] = []
        metrics = WorkerMetrics(self.registry)
        registry = Registry(None)
        publisher = Publisher(
            store=self.store,
            objects=objects,
            leases=self.leases,
            metrics=metrics,
            wake=self.woken.append,
            traces=traces or Traces(),
        )
        self.pipeline = Pipeline(
            PipelineParts(
                store=self.store,
                objects=read_from or objects,
                registry=registry,
                engine=self.engine,
                leases=self.leases,
                publisher=publisher,
                copier=Copier(objects=objects, publisher=publisher, leases=self.leases, metrics=metrics),
                metrics=metrics,
                wake=self.woken.append,
                record=self.recorder.record,
                traces=traces or Traces(),
            ),
            ClaimLimits(
                worker="w",
                models=ServedModels(["landscape"], registry),
                max_items=batch_items,
                max_pixels=10**9,
            ),
            stop=self.stop,
        )

    def submit(self, job_id: str, items: int, *, picture_format: str = "png") -> None:
        input_bytes = store_inputs(self.objects, job_id, items)
        spec = job_spec(job_id, items, height=SIZE, width=SIZE, picture_format=picture_format)
        self.store.submit(spec, input_bytes=input_bytes)

    def states(self, job_id: str) -> list[State]:
        return [item.state for item in self.reader.items(self.reader.job(job_id))]

    def pictures(self, job_id: str) -> list[str]:
        return list(self.objects.keys(f"{job_prefix(job_id)}pictures/"))
