"""Pieces of the OpenAPI document that several operations share, and the document itself."""

from http import HTTPStatus
from typing import Any, Final

from flask_openapi.openapi import OpenAPI
from flask_openapi.types import ResponseDict
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api import problems
from api.access import needed_scope
from api.bodies import STYLE_IMAGE
from api.parameters import JobParameters, MapParameters
from workers.keys import Scope

OPENAPI_VERSION: Final = "3.1.0"
UNREADABLE: Final = (400, 414, 431)
"""What a request is answered whose head cannot be read, whatever it asks for."""
SCHEMAS: Final = "#/components/schemas/"
KEY_SCHEME: Final = "key"
KEY_DESCRIPTION: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": (
        "An API key, `spade_...`, with the scope that the operation names, or `admin`. Not needed as long as the "
        "service has none. A key with a rate limit is told by `RateLimit` how many requests are left."
    ),
}
LABEL_MAP_FILES: Final = """\
PNGs; or, as the only one, a ZIP of them, in which `NAME.instance.png` is the instance map of `NAME.png`. Inflated, its
files may have as many bytes together as a request may. Folders stay in names; a file whose name begins with a dot is
left out.
"""


FILE_PART: Final = {"type": "string", "contentMediaType": "application/octet-stream"}
"""How OpenAPI 3.1 says that a part is a file; which type it has is said by the form's `encoding`."""
PART_TYPES: Final = {
    "label_map": "image/png, application/zip",
    "instance_map": "image/png",
    "palette": "text/csv",
    "style_image": "image/png, image/jpeg, image/webp",
    "params": "application/json",
}


def _file_form(params: type[BaseModel], **more: dict[str, Any]) -> dict[str, Any]:
    """Schema of a multipart form with label maps and, by their names, `more` parts."""
    return {
        "type": "object",
        "required": ["label_map", "params"],
        "additionalProperties": False,
        "properties": {
            "label_map": {"type": "array", "items": FILE_PART, "minItems": 1, "description": LABEL_MAP_FILES},
            "instance_map": {"type": "array", "items": FILE_PART, "description": "One for each label map, in order"},
            "palette": {
                **FILE_PART,
                "description": "Columns `color` (#rrggbb) or `r`, `g`, `b`, and `id` or `name`; one name is `unknown`.",
            },
            "params": {"$ref": f"{SCHEMAS}{params.__name__}"},
            **more,
        },
    }


FORMS: Final = {
    "JobForm": _file_form(JobParameters, style_image={**FILE_PART, "description": STYLE_IMAGE}),
    "MapsForm": _file_form(MapParameters),
}
"""Multipart bodies by the names that the document has for them. The library drops `contentMediaType` from what it is
given with an operation, not from what the operation refers to.
"""


def problem_responses(*statuses: int) -> ResponseDict:
    """Documentation of the errors that an operation answers with."""
    content = {problems.CONTENT_TYPE: {"schema": {"$ref": f"{SCHEMAS}Problem"}}}
    return {str(status): {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def json_response(description: str, model: type[BaseModel], **headers: str) -> dict[str, Any]:
    """Documentation of a JSON answer; `headers` maps names to descriptions, with _ for -."""
    return {
        "description": description,
        "content": json_content(model),
        **_headers(headers),
    }


def json_content(model: type[BaseModel]) -> dict[str, Any]:
    """Documentation of a JSON body, by the model's name."""
    return {"application/json": {"schema": {"$ref": f"{SCHEMAS}{model.__name__}"}}}


def file_response(description: str, *content_types: str, **headers: str) -> dict[str, Any]:
    """Documentation of an answer that is a file."""
    return {"description": description, "content": {name: {} for name in content_types}, **_headers(headers)}


def plain_response(description: str, **headers: str) -> dict[str, Any]:
    """Documentation of an answer without a body."""
    return {"description": description, **_headers(headers)}


def multipart_or_json(form: str, body: type[BaseModel]) -> dict[str, Any]:
    """Documentation of a request body that may come either way; `form` is a name of `FORMS`."""
    return {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"$ref": f"{SCHEMAS}{form}"},
                "encoding": {part: {"contentType": PART_TYPES[part]} for part in FORMS[form]["properties"]},
            },
            "application/json": {"schema": {"$ref": f"{SCHEMAS}{body.__name__}"}},
        },
    }


def build_document(
    app: OpenAPI,
    *,
    request_models: list[type[BaseModel]],
    response_models: list[type[BaseModel]],
    webhooks: dict[str, Any],
) -> dict[str, Any]:
    """The OpenAPI document of all registered operations and webhooks, with the models that they refer to by name."""
    app.openapi_version = OPENAPI_VERSION
    document: dict[str, Any] = app.api_doc
    _, definitions = models_json_schema(
        [(model, "validation") for model in request_models] + [(model, "serialization") for model in response_models],
        ref_template=SCHEMAS + "{model}",
    )
    document["components"]["schemas"] |= definitions["$defs"] | FORMS
    document["webhooks"] = webhooks
    document["components"]["securitySchemes"] = {KEY_SCHEME: KEY_DESCRIPTION}
    for route, path in document["paths"].items():
        for operation in path.values():
            _document_access(operation, needed_scope(route))
            operation["responses"] = problem_responses(*UNREADABLE) | operation["responses"]
            # What the library adds by itself where an operation documents no refused parameters: those take none.
            if "application/json" in operation["responses"]["422"]["content"]:
                del operation["responses"]["422"]
    return document


def _document_access(operation: dict[str, Any], scope: Scope | None) -> None:
    if scope is not None:
        operation["security"] = [{KEY_SCHEME: [scope.value]}]
        operation["responses"] = {**problem_responses(401, 403, 429), **operation["responses"]}


def _headers(headers: dict[str, str]) -> dict[str, Any]:
    if not headers:
        return {}
    described = {
        name.replace("_", "-"): {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
    }
    return {"headers": described}
