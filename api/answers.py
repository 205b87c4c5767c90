"""Answers with a JSON body."""

from collections.abc import Mapping

from flask import Response
from pydantic import BaseModel


def answer_json(
    model: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None, exclude_none: bool = False
) -> Response:
    """A model as the JSON body of a response."""
    body = model.model_dump_json(exclude_none=exclude_none)
    return Response(body, status=status, content_type="application/json", headers=dict(headers or {}))
