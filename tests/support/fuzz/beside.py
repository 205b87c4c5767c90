"""What goes on beside the fuzzing: a client that means well, a worker that paints grey, a look at the memory."""

import hashlib
import io
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil
from PIL import Image

from support.jobs import result_of
from support.label_maps import png
from workers.job_store import JobStore
from workers.redis_client import connect
from workers.settings import Settings
from workers.storage import ObjectStore

MAP = png([[0, 1], [2, 3]])
PARAMS = {"params": '{"model": "landscape", "seed": 1}'}
CANARY_PAUSE_SECONDS = 0.02
MEMORY_PAUSE_SECONDS = 0.05
WORKER_PAUSE_SECONDS = 0.1


@contextmanager
def beside(step: Callable[[], None], *, pause_seconds: float) -> Iterator[None]:
    """Repeat `step` in a thread while the body runs."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(pause_seconds):
            step()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Canary:
    """Submits a job, reads it, lists jobs, over and over. `errors` are answers that it should not have got."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self.seconds: list[float] = []
        self.errors: list[str] = []

    def step(self) -> None:
        files = {"label_map": ("a.png", MAP, "image/png")}
        accepted = self._ask("POST", "/v1/jobs", 202, data=PARAMS, files=files)
        if accepted is not None:
            self._ask("GET", accepted.headers["Location"], 200)
        self._ask("GET", "/v1/jobs?limit=5", 200)

    def _ask(self, method: str, path: str, expected: int, **options: object) -> httpx.Response | None:
        began = time.perf_counter()
        try:
            response = self._client.request(method, path, **options)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            self.errors.append(f"{method} {path}: {type(error).__name__}: {error}")
            return None
        self.seconds.append(time.perf_counter() - began)
        if response.status_code != expected:
            self.errors.append(f"{method} {path}: {response.status_code}: {response.text[:200]}")
            return None
        return response

    def percentile_ms(self, percent: int) -> float:
        return 1000 * statistics.quantiles(self.seconds, n=100)[percent - 1] if len(self.seconds) > 1 else 0.0


@dataclass(kw_only=True)
class Memory:
    """Resident bytes of the API's processes, all together; `started` after they have warmed up."""

    pid: int
    started: int = 0
    peak: int = 0
    peak_of_one: int = 0
    processes: set[int] = field(default_factory=set)

    def step(self) -> None:
        sizes = {process.pid: process.memory_info().rss for process in psutil.Process(self.pid).children()}
        self.processes |= set(sizes)
        self.peak = max(self.peak, sum(sizes.values()))
        self.peak_of_one = max(self.peak_of_one, *sizes.values(), 0)

    def now(self) -> int:
        return sum(process.memory_info().rss for process in psutil.Process(self.pid).children())


class GreyWorker:
    """Claims what waits and publishes a grey picture for each, so that the queue does not fill."""

    def __init__(self, settings: Settings) -> None:
        self._store = JobStore(connect(settings.redis_url), settings.queue)
        self._objects = ObjectStore(settings.storage)
        buffer = io.BytesIO()
        Image.new("RGB", (256, 256), "grey").save(buffer, "PNG")
        self._picture = buffer.getvalue()

    def step(self) -> None:
        models = ["landscape", "coco-stuff"]
        batch = self._store.claim(worker="grey", device="cpu", models=models, max_items=64, max_pixels=2**62).batch
        if batch is None:
            return
        digest = hashlib.sha256(self._picture).hexdigest()
        results = [result_of(item, digest=digest, size_bytes=len(self._picture)) for item in batch.items]
        self._objects.put(results[0].picture_key, self._picture, content_type="image/png")
        self._store.commit(results)
