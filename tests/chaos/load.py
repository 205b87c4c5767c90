"""Well-behaved clients that keep the service busy, and a ledger of all that they were promised."""

import hashlib
import io
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from api.client import SpadeClient
from api.client_errors import ClientError
from api.parameters import JobParameters
from api.representation import Job
from chaos.engine import FIRST_HARMLESS
from chaos.stack import MODEL
from workers.messages import Priority

CLASSES: Final = 180
_SIZES: Final = ((64, 64), (64, 128))
_CLIENTS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One job as it is asked for. `tag` is in its labels, so that it is known also where its answer was lost."""

    tag: str
    label_maps: list[NDArray[np.uint8]]
    parameters: JobParameters


@dataclass(slots=True)
class Ledger:
    """What was asked for and acknowledged, by tag; the digest of every picture as it was first seen."""

    requests: dict[str, Request] = field(default_factory=dict)
    acknowledged: dict[str, str] = field(default_factory=dict)  # id of the job
    seen: dict[tuple[str, int], str] = field(default_factory=dict)  # sha256 of the picture
    changed: list[str] = field(default_factory=list)  # pictures that were another later
    errors: list[str] = field(default_factory=list)  # that clients were given
    acts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note_picture(self, job_id: str, index: int, content: bytes) -> None:
        """A picture as it is now. What is published never changes."""
        digest = hashlib.sha256(content).hexdigest()
        with self.lock:
            if self.seen.setdefault((job_id, index), digest) != digest:
                self.changed.append(f"{job_id}:{index}")


class Load:
    """Clients in threads of their own."""

    def __init__(self, url: str, folder: Path, seed: int) -> None:
        self.ledger = Ledger()
        self._url = url
        self._folder = folder
        self._seed = seed
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[Ledger]:
        """Clients at work while the body runs. Afterwards they have ended what they had begun."""
        with ThreadPoolExecutor(_CLIENTS) as pool:
            clients = [pool.submit(self._work, number) for number in range(_CLIENTS)]
            try:
                yield self.ledger
            finally:
                self._stop.set()
            for client in clients:
                client.result()

    def submit(self, client: SpadeClient, draw: random.Random, tag: str, *, first: int | None = None) -> Job | None:
        """One job more; None where the client was told that it cannot be. `first`: class id of the first pixel."""
        request = self._request(draw, tag, first)
        self.ledger.requests[tag] = request
        paths = []
        for number, ids in enumerate(request.label_maps):
            paths.append(self._folder / f"{tag}-{number}.png")
            paths[-1].write_bytes(_png(ids))
        job = self._asked("submit", lambda: client.submit(paths, request.parameters))
        for path in paths:
            path.unlink()
        if job is not None:
            self.ledger.acknowledged[tag] = job.id
        return job

    def _work(self, number: int) -> None:
        draw = random.Random(f"{self._seed} {number}")  # noqa: S311 - no secrets
        turn = 0
        with SpadeClient(self._url) as client:
            while not self._stop.is_set():
                jobs = []
                for _ in range(draw.randint(1, 3)):
                    turn += 1
                    jobs.append(self.submit(client, draw, f"client-{number}-{turn}"))
                if draw.random() < 0.15 and jobs[-1] is not None:
                    self._asked("cancel", lambda job=jobs[-1]: client.cancel(job.id))
                for job in filter(None, jobs):
                    self._follow(client, job.id)

    def _follow(self, client: SpadeClient, job_id: str) -> None:
        job = self._asked("follow", lambda: client.follow(job_id))
        for item in job.items if job is not None else ():
            if item.image is not None:
                content = self._asked("picture", lambda item=item: client.picture(item))
                if content is not None:
                    self.ledger.note_picture(job_id, item.index, content)

    def _asked(self, what: str, ask: Callable[[], object]):
        self.ledger.acts[what] += 1
        try:
            return ask()
        except ClientError as error:
            self.ledger.errors.append(f"{what}: {error}")
        return None

    def _request(self, draw: random.Random, tag: str, first: int | None) -> Request:
        height, width = draw.choice(_SIZES)
        deadline = draw.uniform(0.05, 0.5) if first is None and draw.random() < 0.1 else None
        return Request(
            tag=tag,
            label_maps=[
                _label_map(draw, height, width, first if number == 0 else None) for number in range(draw.randint(1, 3))
            ],
            parameters=JobParameters(
                model=MODEL,
                seed=draw.randrange(2**31),
                variations=draw.choice([1, 1, 2]),
                size=f"{width}x{height}",
                priority=draw.choice(list(Priority)),
                deadline_seconds=deadline,
                labels={"tag": tag},
            ),
        )


def _label_map(draw: random.Random, height: int, width: int, first: int | None) -> NDArray[np.uint8]:
    ids = np.random.default_rng(draw.randrange(2**32)).integers(FIRST_HARMLESS, CLASSES, (height // 8, width // 8))
    ids = np.kron(ids, np.ones((8, 8), int)).astype(np.uint8)
    ids[0, 0] = ids[0, 0] if first is None else first
    return ids


def _png(ids: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(ids).save(file, "png")
    return file.getvalue()
