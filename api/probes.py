"""Is the process alive, can it serve, and what has it counted."""

import logging
from typing import Any, Final

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel

from api.answers import answer_json
from api.documents import file_response, json_response, problem_responses
from api.errors import NotReadyError
from api.metrics import ApiMetrics
from api.services import current_services
from workers.errors import ServiceError

_log = logging.getLogger(__name__)
TAGS: Final[list[Tag | dict[str, Any]]] = [{"name": "service"}]


class Liveness(BaseModel):
    """Answer of a process that is alive."""

    status: str = "alive"


class Readiness(BaseModel):
    """Answer of a service that can serve; `checks` has every part that it needs, each `ok`."""

    status: str = "ready"
    checks: dict[str, str]


def create_probes(metrics: ApiMetrics) -> APIBlueprint:
    """`/livez`, `/readyz` and `/metrics`."""
    probes = APIBlueprint("probes", __name__, abp_tags=TAGS)

    @probes.get("/livez", operation_id="livez", responses={"200": json_response("Alive", Liveness)})
    def livez() -> Response:
        """Is the process alive?"""
        return answer_json(Liveness())

    @probes.get(
        "/readyz",
        operation_id="readyz",
        responses={"200": json_response("Ready", Readiness), **problem_responses(503)},
    )
    def readyz() -> Response:
        """Do the queue and the object store answer?"""
        services = current_services()
        checks = {}
        for name, part in (("queue", services.watching_reader), ("object_store", services.object_store)):
            try:
                part.ping()
                checks[name] = "ok"
            except ServiceError as error:
                _log.warning("not ready", extra={"part": name, "error": str(error)})
                checks[name] = "away"
        if any(result != "ok" for result in checks.values()):
            raise NotReadyError(checks)
        return answer_json(Readiness(checks=checks))

    @probes.get(
        "/metrics", operation_id="metrics", responses={"200": file_response("Prometheus text format", "text/plain")}
    )
    def metrics_page() -> Response:
        """Figures for Prometheus"""
        return metrics.page()

    return probes
