"""A dry run for label maps: what they hold and what is wrong with them, without a job."""

from typing import Final

import numpy as np
from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from pydantic import BaseModel, Field

from api.answers import answer_json
from api.bodies import MapsBody, read_maps_body
from api.callers import current_caller
from api.decoding import DecodedMap, choose_palette, decode_maps, resolve_model
from api.documents import json_response, multipart_or_json, problem_responses
from api.errors import Fault
from api.preparation import picture_size
from api.problems import ProblemFault
from api.representation import ModelReference, PictureSize
from api.services import current_services
from model_store.card import UNKNOWN_NAME, ModelCard
from spade.label_images import class_histogram

label_maps: Final = APIBlueprint("label_maps", __name__, abp_tags=[{"name": "label maps"}])


class ClassCount(BaseModel):
    """A class that occurs in a label map."""

    id: int
    name: str
    pixels: int
    share: float = Field(description="Of the map, 0 to 1")


class CheckedMap(BaseModel):
    """What was found in one label map; size, classes and instances are null where it is not valid."""

    file: str
    valid: bool
    size: PictureSize | None = None
    classes: list[ClassCount] | None = None
    instances: int | None = Field(default=None, description="Different ids in its instance map")
    errors: list[ProblemFault] = Field(default_factory=list)


class Check(BaseModel):
    """Answer to a dry run."""

    valid: bool = Field(description="Whether a job with these maps would be accepted")
    model: ModelReference
    picture_size: PictureSize = Field(description="Maps of another size are resized to it, nearest neighbour")
    label_maps: list[CheckedMap]


@label_maps.post(
    "/v1/label-maps/validate",
    operation_id="validate_label_maps",
    request_body=multipart_or_json("MapsForm", MapsBody),
    responses={"200": json_response("What was found", Check), **problem_responses(400, 413, 415, 422, 503)},
)
def validate_label_maps() -> Response:
    """Check label maps without queueing anything

    Answers 200 for maps that cannot be used too; then `valid` is false and `errors` say what is wrong, with the ids or
    colours, their counts and the boxes they lie in. Parameters that cannot be used are 422, as for a job.
    """
    services = current_services()
    body = read_maps_body(
        request,
        objects=services.object_store,
        max_files=services.settings.max_items_per_job,
        input_prefix=current_caller().input_prefix,
    )
    card = resolve_model(services.registry, body.parameters.model)
    height, width = picture_size(card, body.parameters)
    decoded = decode_maps(body, card, choose_palette(services.registry, card, body), turns=services.decoding_turns)
    checked = [
        _describe(label_map.name, result, card) for label_map, result in zip(body.label_maps, decoded, strict=True)
    ]
    check = Check(
        valid=all(result.valid for result in checked),
        model=ModelReference(name=card.name, version=card.version, weights_sha256=card.weights.sha256),
        picture_size=PictureSize(width=width, height=height),
        label_maps=checked,
    )
    return answer_json(check, exclude_none=True)


def _describe(file: str, result: DecodedMap | tuple[Fault, ...], card: ModelCard) -> CheckedMap:
    if not isinstance(result, DecodedMap):
        return CheckedMap(file=file, valid=False, errors=[ProblemFault(**fault.to_json()) for fault in result])
    height, width = result.ids.shape
    names = {label_class.id: label_class.name for label_class in card.classes}
    classes = [
        ClassCount(id=value, name=names.get(value, UNKNOWN_NAME), pixels=count, share=round(count / result.ids.size, 6))
        for value, count in class_histogram(result.ids).items()
    ]
    instances = None if result.instances is None else len(np.unique(result.instances))
    return CheckedMap(
        file=file, valid=True, size=PictureSize(width=width, height=height), classes=classes, instances=instances
    )
