"""Entry module for a WSGI server: `gunicorn api.wsgi:app`. Reads the environment."""

import os

from api.app import create_app
from api.services import connect_services
from workers.logs import log_json_lines
from workers.settings import Settings

settings = Settings.from_environment(os.environ)
log_json_lines(settings.log_level)
app = create_app(connect_services(settings), metrics_dir=os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
