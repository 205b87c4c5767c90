"""`/studio`: a page on which anyone paints a label map and sees the picture; and what the page loads.

Its sources are in `api/studio`; `make studio` bundles them into `api/assets/studio`.
"""

import hashlib
from importlib import resources
from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE: Final = "index.html"
KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
}


def create_studio() -> Blueprint:
    """The page, its script and style, and the example maps that it offers."""
    studio = Blueprint("studio", __name__)
    folder = resources.files("api") / "assets" / "studio"
    assets = {asset.name: asset.read_bytes() for asset in folder.iterdir()}

    @studio.get("/studio")
    def page() -> Response:
        response = _answer(PAGE, assets[PAGE])
        response.headers["Content-Security-Policy"] = CONTENT_POLICY
        return response

    @studio.get("/studio/<name>")
    def asset(name: str) -> Response:
        if name not in assets:
            raise NotFound
        return _answer(name, assets[name])

    return studio


def _answer(name: str, content: bytes) -> Response:
    """Asked for each time, since page, script and style must be of one release; sent only if they are others."""
    kind = KINDS[f".{name.rpartition('.')[2]}"]
    response = Response(content, content_type=kind, headers={"Cache-Control": "no-cache"})
    response.set_etag(hashlib.sha256(content).hexdigest())
    response.make_conditional(request)
    return response
