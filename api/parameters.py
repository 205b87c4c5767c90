"""Parameters of a job as a client writes them. Unknown names and wrong types are refused by name."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from api.errors import Fault, ParametersRefusedError
from spade.pictures import PictureFormat
from spade.sizes import SIZE_PATTERN, parse_size
from workers.messages import Priority
from workers.webhook_targets import MAX_URL_LENGTH

MAX_SEED: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""
MAX_VARIATIONS: Final = 64
MAX_SIDE_PIXELS: Final = 4096
MAX_DEADLINE_SECONDS: Final = 30 * 24 * 3600.0
MAX_SHOWN_NAME: Final = 200
_UNNAMED: Final = {"[key]", "[name]", "[blend]"}
"""Parts of a fault's place that no client has written."""


class Size(BaseModel):
    """Size of a picture in pixels."""

    model_config = ConfigDict(extra="forbid", strict=True)

    width: int = Field(ge=1, le=MAX_SIDE_PIXELS)
    height: int = Field(ge=1, le=MAX_SIDE_PIXELS)


def _size_from_text(value: Any) -> Any:  # noqa: ANN401 - whatever the client sent
    if isinstance(value, str):
        size = parse_size(value)
        if size is None:
            raise ValueError("write it as WIDTHxHEIGHT, for instance 512x256")
        return {"width": size[1], "height": size[0]}
    return value


LabelKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,63}$")]
LabelValue = Annotated[str, StringConstraints(max_length=255)]


class MapParameters(BaseModel):
    """How label maps are to be read."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str = Field(min_length=1, max_length=100, examples=["landscape"], description="`name` or `name@version`")
    palette: str | None = Field(
        default=None,
        max_length=100,
        description="Name of the palette of RGB label maps: `model` or `gaugan`. To use one's own, send a CSV file.",
    )
    size: Annotated[Size, BeforeValidator(_size_from_text)] | None = Field(
        default=None,
        description="Size of the pictures, `WIDTHxHEIGHT` or an object; the model's own by default.",
        json_schema_extra={
            "anyOf": [
                {"type": "string", "pattern": f"^{SIZE_PATTERN.pattern}$"},
                {"$ref": "#/components/schemas/Size"},
                {"type": "null"},
            ]
        },
    )


StyleName = Annotated[str, StringConstraints(max_length=100)]


class StyleBlend(BaseModel):
    """A style between two presets, along the arc between their latents."""

    model_config = ConfigDict(extra="forbid", strict=True)

    blend: list[StyleName] = Field(min_length=2, max_length=2, description="Names of two style presets")
    weight: float = Field(
        ge=0, le=1, allow_inf_nan=False, description="0 is the first style, 1 the second", examples=[0.3]
    )


def _kind_of_style(value: Any) -> str | None:  # noqa: ANN401 - whatever the client sent
    if isinstance(value, str):
        return "[name]"
    return "[blend]" if isinstance(value, dict | StyleBlend) else None


Style = Annotated[
    Annotated[StyleName, Tag("[name]")] | Annotated[StyleBlend, Tag("[blend]")],
    Discriminator(
        _kind_of_style,
        custom_error_type="style-type",
        custom_error_message='write the name of a style, or a blend like {"blend": ["NAME", "NAME"], "weight": 0.3}',
    ),
]
"""Told apart by hand, so that a fault is told of the kind that was sent only."""


class JobParameters(MapParameters):
    """What to make of the label maps, and how urgently."""

    seed: int | None = Field(default=None, ge=0, le=MAX_SEED, description="Drawn, and told in the answer, if absent")
    variations: int = Field(
        default=1, ge=1, le=MAX_VARIATIONS, description="Pictures a label map: seeds seed, seed+1 …"
    )
    style: Style | None = Field(
        default=None,
        description="Name of one of the model's style presets, or a blend of two. It decides what otherwise the seed "
        "does, so there is one variation",
    )
    format: PictureFormat = Field(default=PictureFormat.PNG, strict=False)
    quality: int = Field(default=90, ge=1, le=100, description="Of JPEG and WebP")
    priority: Priority = Field(default=Priority.NORMAL, strict=False)
    deadline_seconds: float | None = Field(
        default=None,
        gt=0,
        le=MAX_DEADLINE_SECONDS,
        allow_inf_nan=False,
        description="Items not started by then are not computed and end as `expired`",
    )
    labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, max_length=16, description="For the caller's own use"
    )
    webhook: str | None = Field(
        default=None,
        max_length=MAX_URL_LENGTH,
        description="URL that is told, by a POST signed as Standard Webhooks say, when the job has ended. http or "
        "https, at a public address; redirects are not followed. Tried for about a day until it answers with 2xx, "
        "always with the same `webhook-id`. A service without a secret to sign with refuses it.",
    )

    @model_validator(mode="after")
    def _check_seeds(self) -> Self:
        if self.style is not None and self.variations > 1:
            raise ValueError("a style leaves nothing to the seeds: all variations would be equal; ask for one")
        if self.seed is not None and self.seed + self.variations - 1 > MAX_SEED:
            raise ValueError(f"seed + variations - 1 may be at most {MAX_SEED}")
        return self


def faults_of(error: ValidationError, *, known: Iterable[str] = ()) -> list[Fault]:
    """A failed validation in our words; `known` are the names that exist, outside of any object."""
    faults = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(part)[:MAX_SHOWN_NAME] for part in detail["loc"] if part not in _UNNAMED)
        text = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            there_are = f"there are: {', '.join(known)}" if known and len(detail["loc"]) == 1 else ""
            text = "; ".join(filter(None, ["there is no such parameter", there_are]))
        faults.append(Fault(parameter=name or None, code=detail["type"].replace("_", "-"), detail=text))
    return faults


def refuse_parameter(name: str, code: str, detail: str) -> ParametersRefusedError:
    """The error for one parameter that does not fit."""
    return ParametersRefusedError([Fault(parameter=name, code=code, detail=detail)])
