"""Metrics for Prometheus to scrape.

The one module of the model that knows prometheus_client: it is imported only when metrics are asked for, because the
command that trains starts below the packages that serve.
"""

import time

from spade.errors import ConfigError
from spade.training.listeners import Listener, Look, Metrics, RunFacts

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300)


class TrainingMetrics(Listener):
    """Serves `/metrics` on all addresses at `port` for as long as the process lives.

    Raises ConfigError: where prometheus_client is not installed or the port cannot be had.
    """

    def __init__(self, port: int) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
        except ImportError as error:
            raise ConfigError(
                "--metrics-port needs the package prometheus-client: install the extra [train]"
            ) from error
        self.registry = registry = CollectorRegistry()
        self._images = Counter("spade_training_images", "Pictures learned from, by this process", registry=registry)
        self._step_seconds = Histogram(
            "spade_training_step_seconds", "Seconds of a step, loading included", buckets=_SECONDS, registry=registry
        )
        self._loss = Gauge("spade_training_loss", "Mean of a weighted loss", ["loss"], registry=registry)
        self._rate = Gauge("spade_training_learning_rate", "Learning rate", ["network"], registry=registry)
        self._memory = Gauge(
            "spade_training_memory_bytes", "Most memory in use: of the GPU, or else of the process", registry=registry
        )
        self._epoch = Gauge("spade_training_epoch", "Epoch, from 1", registry=registry)
        self._speed = Gauge("spade_training_images_per_second", "Pictures learned from a second", registry=registry)
        self._validation = Gauge(
            "spade_training_validation", "Of the last look at validation samples", ["metric"], registry=registry
        )
        self._saved = Gauge(
            "spade_training_checkpoint_timestamp_seconds",
            "When the last checkpoint was saved; before the first one, when the run began",
            registry=registry,
        )
        self._batch_size = 0
        try:
            self._server, _ = start_http_server(port, registry=registry)
        except OSError as error:
            raise ConfigError(f"--metrics-port {port}: metrics cannot be served there: {error.strerror}") from error

    def started(self, facts: RunFacts) -> None:
        self._batch_size = facts.config.batch_size
        self._saved.set(time.time())

    def stepped(self, pictures: int, seconds: float) -> None:  # noqa: ARG002 - as every listener is told
        self._images.inc(self._batch_size)
        self._step_seconds.observe(seconds)

    def measured(self, metrics: Metrics) -> None:
        for name, value in metrics.losses.items():
            self._loss.labels(name).set(value)
        for network, rate in metrics.learning_rates.items():
            self._rate.labels(network).set(rate)
        self._memory.set(metrics.memory_bytes)
        self._epoch.set(metrics.epoch)
        self._speed.set(metrics.images_per_second)

    def validated(self, look: Look) -> None:
        for name, value in look.metrics.items():
            self._validation.labels(name).set(value)

    def saved(self, place: str) -> None:  # noqa: ARG002
        self._saved.set(time.time())

    def ended(self, how: str) -> None:  # noqa: ARG002
        self._server.shutdown()
        self._server.server_close()
