"""Entry module for a WSGI server: `gunicorn api.wsgi:app`. Reads the environment."""

import os

from api.app import create_app
from api.services import connect_services
from workers.logs import log_json_lines
from workers.settings import Settings
from workers.traces import Service, start_traces

settings = Settings.from_environment(os.environ)
log_json_lines(settings.log_level)
traces, metrics_dir = start_traces(settings.traces, Service.API), os.environ.get("PROMETHEUS_MULTIPROC_DIR")
services = connect_services(settings, traces, metrics_dir=metrics_dir)
services.charts.start()
app = create_app(services)
