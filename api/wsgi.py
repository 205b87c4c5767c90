"""Entry module for a WSGI server: `gunicorn api.wsgi:app`. Reads the environment."""

import os

from api.app import create_app
from api.services import connect_services
from workers.logs import log_json_lines
from workers.settings import Settings

log_json_lines()
app = create_app(
    connect_services(Settings.from_environment(os.environ)),
    metrics_dir=os.environ.get("PROMETHEUS_MULTIPROC_DIR"),
)
