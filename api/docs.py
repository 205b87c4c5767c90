"""The OpenAPI document and a page to browse it. The page's parts come from this service: it needs no network."""

import json
from importlib import resources
from typing import Any, Final

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
OWN_ASSETS: Final = resources.files("api") / "assets"
SWAGGER_ASSETS: Final = resources.files("flask_openapi_swagger") / "templates" / "swagger"
ASSETS: Final = {
    "docs.js": (OWN_ASSETS / "docs.js", "text/javascript"),
    "docs.css": (OWN_ASSETS / "docs.css", "text/css"),
    "swagger-ui.css": (SWAGGER_ASSETS / "css" / "swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": (SWAGGER_ASSETS / "js" / "swagger-ui-bundle.js", "text/javascript"),
}
CACHE: Final = "public, max-age=3600"


def create_docs(document: dict[str, Any]) -> Blueprint:
    """`/openapi.json`, `/docs` and what the page loads."""
    docs = Blueprint("docs", __name__)
    text = json.dumps(document, indent=1)
    page = (OWN_ASSETS / "docs.html").read_text(encoding="utf-8")
    assets = {name: (asset.read_bytes(), content_type) for name, (asset, content_type) in ASSETS.items()}

    @docs.get("/openapi.json")
    def openapi_document() -> Response:
        return Response(text, content_type="application/json", headers={"Cache-Control": CACHE})

    @docs.get("/docs")
    def docs_page() -> Response:
        headers = {"Content-Security-Policy": CONTENT_POLICY, "Cache-Control": CACHE}
        return Response(page, content_type="text/html; charset=utf-8", headers=headers)

    @docs.get("/docs/<name>")
    def docs_asset(name: str) -> Response:
        if name not in assets:
            raise NotFound
        content, content_type = assets[name]
        return Response(content, content_type=content_type, headers={"Cache-Control": CACHE})

    return docs
