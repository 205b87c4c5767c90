"""Entry module of a worker: `celery --app workers.app worker --pool solo`. Reads the environment."""

import logging
import os
from typing import Any

from celery import signals
from kombu import Queue

from model_store.registry import Registry
from spade.errors import SpadeError
from workers.engine_choice import choose_engine
from workers.logs import log_json_lines
from workers.redis_client import connect
from workers.runtime import Runtime
from workers.served_models import ServedModels
from workers.settings import Settings
from workers.traces import Service, start_traces
from workers.wakeup import TASK_NAME, WakeUp, create_celery, queue_name

_log = logging.getLogger(__name__)

# Read by OpenMP when torch is loaded: threads that wait must sleep. Those that spin instead, the default, slow a worker
# down several times over when anything else, the API for a start, wants the same cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

settings = Settings.from_environment(os.environ)
log_json_lines(settings.log_level)
registry = Registry(settings.models_dir)
app = create_celery(settings.redis_url)
served = ServedModels(settings.worker.models, registry)
app.conf.task_queues = [Queue(queue_name(model)) for model in served.names]
_hostname: list[str] = []


def _listen(model: str) -> None:
    """Take wake-ups for a model that this worker did not know when it started."""
    app.control.add_consumer(queue_name(model), destination=_hostname)


runtime = Runtime(
    settings,
    registry=registry,
    engine=choose_engine(registry, settings.worker),
    wake_up=WakeUp(app, connect(settings.redis_url)),
    served=served,
    listen=_listen,
    traces=start_traces(settings.traces, Service.WORKER),
)


@app.task(name=TASK_NAME)
def synthesize(model: str) -> None:
    """A wake-up: there may be work for this model."""
    runtime.drain(model)


@signals.setup_logging.connect
def keep_logging(**_: Any) -> None:  # noqa: ANN401 - Celery's signals carry what they like
    """Celery sets up no logging of its own when something is connected here."""


@signals.worker_init.connect
def start(sender: Any, **_: Any) -> None:  # noqa: ANN401 - as above
    """Begin, or end the process: Celery logs what this raises and would go on without the models."""
    _hostname.append(sender.hostname)
    try:
        runtime.start()
    except SpadeError as error:
        _log.critical("models cannot be served", extra={"error": str(error)})
        raise SystemExit(1) from error


@signals.worker_shutting_down.connect
def stop_claiming(**_: Any) -> None:  # noqa: ANN401 - as above
    """Told to stop: finish what is in hand."""
    runtime.stopping.set()


@signals.worker_shutdown.connect
def stop(**_: Any) -> None:  # noqa: ANN401 - as above
    """The loop has ended."""
    runtime.stop()
