"""The models that the service has, as their cards say."""

from typing import Final, Self

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from pydantic import BaseModel, Field

from api.answers import answer_json
from api.documents import json_response, problem_responses
from api.representation import PictureSize
from api.services import current_services
from model_store.card import ModelCard
from workers.errors import QueueUnavailableError

models: Final = APIBlueprint("models", __name__, abp_tags=[{"name": "models"}])


class LabelClassModel(BaseModel):
    """A class of the model's label maps."""

    id: int
    name: str
    color: str = Field(description="#rrggbb")


class Model(BaseModel):
    """A model's card."""

    name: str
    version: str
    title: str
    description: str
    training: str = Field(description="`untrained` models make patterns, not photographs")
    licence: str
    data: str = Field(description="What it was trained on")
    size: PictureSize = Field(description="The model's own size")
    size_multiple: int | None = Field(description="Other sizes must be multiples of this; null: only its own size fits")
    classes: list[LabelClassModel]
    unknown_id: int | None = Field(description="Id for pixels of no class; 255 means the same. Null: there is none")
    uses_instances: bool = Field(description="Whether it takes instance maps")
    seed_matters: bool = Field(description="Whether different seeds give different pictures")
    styles: list[str] = Field(description="Names for the parameter `style`")
    style_thumbnails: dict[str, str] = Field(
        default={},
        description="By the names of styles, a small picture in each: JPEG in base64. Styles that have none are absent",
    )
    reads_styles: bool = Field(description="Whether it takes a `style_image`")
    palettes: list[str] = Field(description="Names for the parameter `palette`")
    weights_sha256: str = Field(description="Of the weights file")
    weights_bytes: int
    pixels_per_second: float | None = Field(description="Made over the last minute; null when that is not known")

    @classmethod
    def from_card(cls, card: ModelCard, *, palettes: list[str], pixels_per_second: float | None) -> Self:
        """What clients are told of `card`, and of what is known beside it."""
        generator = card.generator
        return cls(
            name=card.name,
            version=card.version,
            title=card.title,
            description=card.description,
            training=card.training.value,
            licence=card.licence,
            data=card.data,
            size=PictureSize(width=card.width, height=card.height),
            size_multiple=None if card.latent else generator.size_multiple,
            classes=[LabelClassModel(id=item.id, name=item.name, color=item.color) for item in card.classes],
            unknown_id=card.unknown_id,
            uses_instances=card.uses_instances,
            seed_matters=card.latent,
            styles=list(card.styles_by_name),
            style_thumbnails={style.name: style.thumbnail for style in card.styles if style.thumbnail is not None},
            reads_styles=card.encoder is not None,
            palettes=palettes,
            weights_sha256=card.weights.sha256,
            weights_bytes=card.weights.bytes,
            pixels_per_second=pixels_per_second,
        )


class UnusableModel(BaseModel):
    """A version that is there and is not served."""

    name: str
    version: str
    detail: str = Field(description="What is wrong with its card, and what to do")


class ModelList(BaseModel):
    """All models."""

    models: list[Model]
    unusable: list[UnusableModel] = Field(default=[], description="Versions that are left out, and why")


class ModelPath(BaseModel):
    """Which model."""

    name: str = Field(description="`name` for the newest version, or `name@version`")


@models.get("/v1/models", operation_id="list_models", responses={"200": json_response("The models", ModelList)})
def list_models() -> Response:
    """List the models

    All versions, by name, the newest version last.
    """
    registry = current_services().registry
    unusable = [
        UnusableModel(name=error.name, version=error.version, detail=str(error)) for error in registry.unusable()
    ]
    return answer_json(ModelList(models=_describe(registry.cards()), unusable=unusable))


@models.get(
    "/v1/models/<name>",
    operation_id="get_model",
    responses={"200": json_response("The model", Model), **problem_responses(404, 409)},
)
def get_model(path: ModelPath) -> Response:
    """Read a model's card"""
    (model,) = _describe([current_services().registry.resolve(path.name)])
    return answer_json(model)


def _describe(cards: list[ModelCard]) -> list[Model]:
    speeds = _speeds()
    registry = current_services().registry
    return [
        Model.from_card(card, palettes=list(registry.palettes(card)), pixels_per_second=speeds.get(card.name))
        for card in cards
    ]


def _speeds() -> dict[str, float]:
    """Speed of each model that was busy in the last minute; nothing while the queue is away."""
    try:
        queues = current_services().job_reader.stats().queues
    except QueueUnavailableError:
        return {}
    return {queue.model: queue.drained_pixels_per_second for queue in queues if queue.drained_pixels_per_second}
