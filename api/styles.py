"""The style of a job, as it is asked for and as it is told: a preset by name, a blend of two, or that of a picture."""

import hashlib
from contextlib import AbstractContextManager

from pydantic import BaseModel, Field

from api.bodies import Body
from api.errors import Fault, FilesRefusedError
from api.files import SentFile
from api.parameters import JobParameters, StyleBlend, refuse_parameter
from model_store.card import ModelCard
from spade.pictures import encode_picture
from spade.style_pictures import StylePictureError, read_style_picture
from workers.messages import style_picture_key
from workers.styles import Style


class StyleOfImage(BaseModel):
    """A style that was read from a picture."""

    image_sha256: str = Field(description="Of the style image, as it was stored: 256x256, as PNG")


def choose_style(
    body: Body[JobParameters], card: ModelCard, *, job_id: str, turns: AbstractContextManager[object]
) -> tuple[Style | None, dict[str, bytes]]:
    """The style, if any, and the objects that belong to it by key.

    `turns` is held while a picture is unpacked. Raises ParametersRefusedError where the model cannot do it,
    FilesRefusedError where the picture cannot be read.
    """
    asked = body.parameters.style
    if body.style_image is None:
        _check_names(card, asked)
        return _preset(asked), {}
    if card.encoder is None:
        detail = f"the model {card.name} has no encoder to read styles from pictures; leave it out"
        raise refuse_parameter("style_image", "no-encoder", detail)
    if asked is not None:
        raise refuse_parameter("style", "two-styles", "a style is named and a style image is sent; use one of both")
    if body.parameters.variations > 1:
        detail = "a style image decides what otherwise the seed does, so there is one variation"
        raise refuse_parameter("variations", "one-style", detail)
    picture = _read(body.style_image, turns)
    key = style_picture_key(job_id)
    return Style(picture_key=key, picture_sha256=hashlib.sha256(picture).hexdigest()), {key: picture}


def _read(file: SentFile, turns: AbstractContextManager[object]) -> bytes:
    """The picture as PNG, in the encoder's size."""
    data = file.read()
    try:
        with turns:
            return encode_picture(read_style_picture(data))
    except StylePictureError as error:
        raise FilesRefusedError([Fault(file=file.name, code="style-image-unreadable", detail=str(error))]) from error


def _check_names(card: ModelCard, style: str | StyleBlend | None) -> None:
    names = style.blend if isinstance(style, StyleBlend) else [] if style is None else [style]
    for name in names:
        if name not in card.styles_by_name:
            existing = ", ".join(card.styles_by_name) or "none"
            raise refuse_parameter(
                "style", "unknown-style", f"the model {card.name} has no style {name!r}; it has: {existing}"
            )


def _preset(style: str | StyleBlend | None) -> Style | None:
    if isinstance(style, StyleBlend):
        return Style(first=style.blend[0], second=style.blend[1], weight=style.weight)
    return None if style is None else Style(first=style)


def represent_style(style: Style | None) -> str | StyleBlend | StyleOfImage | None:
    """A style as a client writes it, or the digest of the picture that it was read from."""
    if style is None:
        return None
    if style.picture_sha256 is not None:
        return StyleOfImage(image_sha256=style.picture_sha256)
    if style.first is None or style.second is None:
        return style.first
    return StyleBlend(blend=[style.first, style.second], weight=style.weight)
