"""Finished pictures: a way to the object store, or the bytes themselves."""

import re
from pathlib import PurePath
from typing import Final

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from api.callers import visible_owner
from api.documents import file_response, plain_response, problem_responses
from api.errors import PictureNotReadyError
from api.representation import JOBS_PATH
from api.services import current_services
from spade.pictures import EXTENSIONS, MEDIA_TYPES
from workers.messages import ItemView, JobView, State

pictures: Final = APIBlueprint("pictures", __name__, abp_tags=[{"name": "jobs"}])
LINK_SECONDS: Final = 3600
UNSAFE_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")


class PicturePath(BaseModel):
    """Which picture."""

    job_id: str
    index: int = Field(ge=0)


class PictureQuery(BaseModel):
    """How it is to be sent."""

    model_config = ConfigDict(extra="forbid")

    proxy: bool = Field(default=False, description="Answer with the bytes instead of a redirect to the object store")


@pictures.get(
    f"{JOBS_PATH}/<job_id>/items/<int:index>/image",
    operation_id="get_picture",
    responses={
        "200": file_response("The picture, given `?proxy=1`", *MEDIA_TYPES.values(), ETag="sha256 of the bytes"),
        "303": plain_response("Where the picture is for the next hour", Location="Presigned URL in the object store"),
        "304": plain_response("As `If-None-Match` has it"),
        **problem_responses(404, 409, 410, 422, 503),
    },
)
def get_picture(path: PicturePath, query: PictureQuery) -> Response:
    """Fetch a picture"""
    services = current_services()
    job = services.job_reader.job(path.job_id, owner=visible_owner())
    if job.filled <= path.index < job.total:
        raise PictureNotReadyError(f"item {path.index} is queued; wait until it has succeeded")
    item = services.job_reader.item(job.id, path.index)
    if item.state is not State.SUCCEEDED or item.picture_key is None:
        raise PictureNotReadyError(_why_not(item))
    content_type = MEDIA_TYPES[job.picture_format]
    name = picture_name(job, item)
    if not query.proxy:
        link = services.object_store.presigned_get(
            item.picture_key,
            seconds=LINK_SECONDS,
            content_type=content_type,
            file_name=name,
            method="HEAD" if request.method == "HEAD" else "GET",  # whoever follows the link asks as here
        )
        return Response(status=303, headers={"Location": link})
    headers = {"ETag": f'"{item.digest}"', "Cache-Control": f"private, max-age={LINK_SECONDS}, immutable"}
    if item.digest and request.if_none_match.contains_weak(item.digest):
        return Response(status=304, headers=headers)
    headers["Content-Disposition"] = f'inline; filename="{name}"'
    return Response(services.object_store.get(item.picture_key), content_type=content_type, headers=headers)


def picture_name(job: JobView, item: ItemView) -> str:
    """File name of an item's picture, for any file system; no two of a job have the same."""
    return f"{UNSAFE_IN_NAMES.sub('_', PurePath(item.file).stem)}-{item.index}{EXTENSIONS[job.picture_format]}"


def _why_not(item: ItemView) -> str:
    if not item.state.is_final:
        return f"item {item.index} is {item.state}; wait until it has succeeded"
    reason = f" ({item.reason})" if item.reason else ""
    return f"item {item.index} is {item.state}{reason}; it has no picture"
