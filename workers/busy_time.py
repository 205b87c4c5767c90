"""How long the engine has computed, also in the batch that it has in hand."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


class BusyTime(Collector):
    """Counts seconds while they pass: with batches of minutes, a worker would seem idle until each one's end."""

    def __init__(self, *, worker: str, device: Callable[[], str]) -> None:
        self._worker = worker
        self._device = device
        self._lock = threading.Lock()
        self._done = 0.0
        self._began: float | None = None

    @contextmanager
    def computing(self) -> Iterator[None]:
        """While the body runs. Time of a body that raises counts too."""
        with self._lock:
            self._began = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._done += time.monotonic() - self._began
                self._began = None

    def seconds(self) -> float:
        """Since the start of the process."""
        with self._lock:
            return self._done + (0.0 if self._began is None else time.monotonic() - self._began)

    def collect(self) -> Iterator[Metric]:
        """As prometheus-client asks."""
        family = CounterMetricFamily(
            "spade_engine_busy_seconds", "Seconds in which the engine computed", labels=["worker", "device"]
        )
        family.add_metric([self._worker, self._device()], self.seconds())
        yield family
