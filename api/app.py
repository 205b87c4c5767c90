"""The application: views, error answers, request handling and documentation put together."""

from importlib.metadata import version
from typing import Final, NoReturn

from flask import Response
from flask_openapi.models.info import Info
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel, ValidationError
from werkzeug.middleware.proxy_fix import ProxyFix

from api.access import register_access
from api.archives import Manifest, archives
from api.bodies import JobBody, MapsBody
from api.charts import Charts
from api.cors import register_cors
from api.docs import create_docs
from api.documents import build_document
from api.errors import ParametersRefusedError
from api.events import events
from api.jobs import jobs
from api.label_maps import Check, label_maps
from api.models import Model, ModelList, models
from api.operations import create_operations, create_operations_page
from api.parameters import JobParameters, MapParameters, faults_of
from api.pictures import pictures
from api.probes import Liveness, Readiness, create_probes
from api.problems import Problem, register_problems
from api.representation import Cancellation, Job, JobPage
from api.requests import register_request_handling
from api.services import Services, install_services
from api.studio_page import create_studio
from api.summary import OpsSummary
from api.webhooks import JobEnded, describe_webhook
from workers.settings import Settings

MAX_TEXT_PART_BYTES: Final = 2**20
SPARE_PARTS: Final = 8
DESCRIPTION: Final = """\
Photographs from label maps: images whose pixels are class ids. A job is submitted with one or many label maps, waits in
a queue, is computed by a worker, and its pictures are fetched one by one or as a ZIP.

Where the service has API keys, a key is sent as `Authorization: Bearer KEY`. A key sees the jobs of its owner only; one
with the scope `admin` reads and cancels everybody's, and lists its own.

Every answer has the id of its request in `X-Request-Id`, and tells in `Server-Timing` where its time went; of a job
that has ended, also where that of its pictures went. Submissions go on with the trace of a `traceparent`.

Every error is `application/problem+json` (RFC 9457). Times are RFC 3339, UTC. Boxes are left, top, right, bottom in
pixels, the last two one past the end.
"""
REQUEST_MODELS: Final[list[type[BaseModel]]] = [JobParameters, MapParameters, JobBody, MapsBody]
RESPONSE_MODELS: Final[list[type[BaseModel]]] = [
    *(Job, JobPage, Cancellation, Manifest, Check, Model, ModelList, Problem, Liveness, Readiness, JobEnded),
    *(OpsSummary, Charts),
]


def create_app(services: Services) -> OpenAPI:
    """The WSGI application over its services."""
    app = _bare_app(services.settings)
    install_services(app.extensions, services)
    register_request_handling(app, services.metrics, services.traces)
    register_cors(app, services.settings.http.cors_origins)
    register_access(app, services.keys, services.rate_limiter)
    register_problems(app)
    made = (create_probes(services.metrics), create_operations())
    for blueprint in (jobs, events, pictures, archives, label_maps, models, *made):
        app.register_api(blueprint)
    document = build_document(
        app, request_models=REQUEST_MODELS, response_models=RESPONSE_MODELS, webhooks=describe_webhook()
    )
    app.register_blueprint(create_docs(document))
    app.register_blueprint(create_operations_page())
    app.register_blueprint(create_studio())
    app.add_url_rule("/", "home", _home)
    return app


def _bare_app(settings: Settings) -> OpenAPI:
    """An application that answers nothing yet, with its bounds on requests."""
    app = OpenAPI(
        "api",
        info=Info(title="SPADE serving", version=version("spade-serving"), description=DESCRIPTION),
        validation_error_model=Problem,
        validation_error_callback=_refuse_parameters,
        doc_ui=False,
        static_folder=None,
    )
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_request_bytes,
        MAX_FORM_MEMORY_SIZE=MAX_TEXT_PART_BYTES,
        MAX_FORM_PARTS=2 * settings.max_items_per_job + SPARE_PARTS,
    )
    if proxies := settings.http.trusted_proxies:
        # Not the prefix, since our links have none, nor the port, which the host has where it matters.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies, x_port=0, x_prefix=0)  # type: ignore[method-assign]  # as Flask documents it
    return app


def _home() -> Response:
    return Response(status=302, headers={"Location": "/studio"})


def _refuse_parameters(error: ValidationError) -> NoReturn:
    raise ParametersRefusedError(faults_of(error)) from error
