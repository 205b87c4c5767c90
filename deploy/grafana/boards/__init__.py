"""The dashboards, one a file."""

from typing import Final

from deploy.grafana.boards.api import API
from deploy.grafana.boards.queue import QUEUE
from deploy.grafana.boards.throughput import THROUGHPUT
from deploy.grafana.boards.training import TRAINING
from deploy.grafana.boards.workers import WORKERS

BOARDS: Final = (THROUGHPUT, QUEUE, WORKERS, API, TRAINING)
