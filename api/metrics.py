"""The API's own metrics on one page. Those of the queue have an exporter of their own."""

from typing import Final

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from workers.metrics import StorageMetrics

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT"})


class ApiMetrics:
    """Requests and their latency by route, which is the URL rule and never the path itself.

    With `multiprocess_dir` the figures of all processes that share the folder are added up at each scrape, as
    prometheus-client does when the environment variable PROMETHEUS_MULTIPROC_DIR names it.
    """

    def __init__(self, *, multiprocess_dir: str | None = None) -> None:
        self._multiprocess_dir = multiprocess_dir
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "spade_api_requests", "Requests answered", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "spade_api_request_seconds",
            "Seconds from request to response",
            ["method", "route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._by_key = Counter(
            "spade_api_key_requests", "Requests with an API key, by its id", ["key"], registry=self._registry
        )
        self.storage = StorageMetrics(self._registry)

    def observe(self, *, method: str, route: str, status: int, seconds: float, key: str | None) -> None:
        """Count a request. Methods that nobody answers share one label, so that a client cannot invent series.

        `key` is the id of the API key that let it in, of which there are as many as an operator makes.
        """
        method = method if method in METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)
        if key is not None:
            self._by_key.labels(key).inc()

    def page(self) -> Response:
        """The page for Prometheus, in its text format."""
        registry = self._registry
        if self._multiprocess_dir is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=self._multiprocess_dir)  # type: ignore[no-untyped-call]  # the library is untyped here
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
