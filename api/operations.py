"""`/ops`: what an operator wants to see at a glance, as a page and as JSON."""

from importlib import resources
from typing import Any, Final

from flask import Blueprint, Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from werkzeug.exceptions import NotFound

from api.answers import answer_json
from api.callers import current_caller
from api.charts import Charts
from api.documents import json_response, problem_responses
from api.services import current_services
from api.summary import OpsSummary, summarize
from workers.keys import Scope

TAGS: Final[list[Tag | dict[str, Any]]] = [{"name": "service"}]
CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS: Final = {"ops.js": "text/javascript", "charts.js": "text/javascript", "ops.css": "text/css"}
CACHE: Final = "public, max-age=300"


def create_operations() -> APIBlueprint:
    """`/ops/summary` and `/ops/charts`."""
    operations = APIBlueprint("operations", __name__, abp_tags=TAGS)

    @operations.get(
        "/ops/summary",
        operation_id="ops_summary",
        responses={"200": json_response("The service", OpsSummary), **problem_responses(503)},
    )
    def summary() -> Response:
        """Queues, workers, owners, newest jobs and failures"""
        services, key = current_services(), current_caller().key
        tells_details = key is None or Scope.ADMIN in key.scopes
        return answer_json(summarize(services.watching_reader, services.operations, tells_details=tells_details))

    @operations.get("/ops/charts", operation_id="ops_charts", responses={"200": json_response("The last hour", Charts)})
    def charts() -> Response:
        """Charts of the last hour"""
        return answer_json(current_services().charts.charts())

    return operations


def create_operations_page() -> Blueprint:
    """`/ops` and what the page loads."""
    page = Blueprint("operations_page", __name__)
    folder = resources.files("api") / "assets"
    text = (folder / "ops.html").read_text(encoding="utf-8")
    assets = {name: ((folder / name).read_bytes(), kind) for name, kind in ASSETS.items()}

    @page.get("/ops")
    def ops() -> Response:
        headers = {"Content-Security-Policy": CONTENT_POLICY, "Cache-Control": CACHE}
        return Response(text, content_type="text/html; charset=utf-8", headers=headers)

    @page.get("/ops/<name>")
    def ops_asset(name: str) -> Response:
        if name not in assets:
            raise NotFound
        content, kind = assets[name]
        return Response(content, content_type=f"{kind}; charset=utf-8", headers={"Cache-Control": CACHE})

    return page
