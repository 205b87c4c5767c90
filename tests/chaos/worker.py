"""Entry module of a worker as it is deployed, but for the engine: `celery -A chaos.worker worker --pool solo`."""

import workers.engine
from chaos.engine import ChaosEngine

workers.engine.LocalEngine = ChaosEngine

from workers.app import app  # noqa: E402 - it takes the engine when it is imported

__all__ = ["app"]
