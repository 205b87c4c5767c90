"""Small pictures of styles in cards: what is made can be read, and nothing else is taken."""

import base64
import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from model_store.card import ModelCard, StylePreset
from model_store.errors import CardError
from model_store.registry import Registry
from model_store.thumbnails import MAX_CHARACTERS, make_thumbnail


def jpeg(*size: int, file_format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, file_format)
    return buffer.getvalue()


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_thumbnail_is_small_and_keeps_the_shape_of_its_picture() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (768, 1024, 3), dtype=np.uint8)
    style = StylePreset(name="noise", seed=1, thumbnail=make_thumbnail(noise))
    assert style.thumbnail is not None
    with Image.open(io.BytesIO(base64.b64decode(style.thumbnail))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (96, 72))


@pytest.mark.parametrize(
    ("thumbnail", "named"),
    [
        ("/9j/4*AA", "not base64"),
        ("ÿ", "not base64"),
        ("", "cannot be read as JPEG"),
        (in_base64(jpeg(8, 8, file_format="PNG")), "cannot be read as JPEG"),
        (in_base64(jpeg(96, 96)[:400]), "cannot be read as JPEG"),
        (in_base64(jpeg(300, 8)), "thumbnail is 300x8; at most 256 pixels"),
        ("A" * (MAX_CHARACTERS + 1), "at most 24000"),
    ],
)
def test_what_is_no_small_jpeg_is_refused(thumbnail: str, named: str) -> None:
    with pytest.raises(CardError, match=rf"style 'day': .*{named}"):
        StylePreset(name="day", seed=1, thumbnail=thumbnail)


def test_it_is_sealed_by_the_digest_of_its_card() -> None:
    card = Registry(None).card("landscape")
    first, second = card.styles[:2]
    assert first.thumbnail is not None
    assert second.thumbnail is not None
    text = card.to_json().replace(first.thumbnail, second.thumbnail)
    with pytest.raises(CardError, match="was changed after it was written"):
        ModelCard.from_json(text)


def test_a_card_from_before_there_were_thumbnails_can_be_read() -> None:
    card = Registry(None).card("landscape")
    values = json.loads(card.to_json())
    del values["card_sha256"]
    for style in values["styles"]:
        del style["thumbnail"]
    styles = tuple(dataclasses.replace(style, thumbnail=None) for style in card.styles)
    assert ModelCard.from_changed_json(json.dumps(values)) == dataclasses.replace(card, styles=styles)


@pytest.mark.parametrize("name", ["landscape", "street"])
def test_models_that_ship_show_all_their_styles(name: str) -> None:
    styles = Registry(None).card(name).styles
    assert styles
    assert len({style.thumbnail for style in styles} - {None}) == len(styles)
