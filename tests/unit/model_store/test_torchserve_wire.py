"""Requests to TorchServe and its answers, as bytes."""

import json
import struct

import numpy as np
import pytest

from model_store.chosen_style import ChosenStyle
from model_store.errors import WeightsError
from model_store.torchserve.wire import (
    PictureRequest,
    WireError,
    decode_error,
    decode_picture,
    decode_request,
    encode_error,
    encode_request,
)
from spade.errors import ConfigError, OutOfMemoryError, SpadeError

MAP = np.arange(12, dtype=np.int32).reshape(3, 4)


def test_a_request_arrives_as_it_was_sent() -> None:
    picture = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3)
    style = ChosenStyle(picture="jobs/a/style.png")
    sent = PictureRequest(label_map=MAP, instance_map=-MAP, seed=2**63 - 1, style=style, style_picture=picture)
    found = decode_request(bytearray(encode_request(sent)))
    assert np.array_equal(found.label_map, MAP)
    assert np.array_equal(found.instance_map, -MAP)
    assert found.seed == 2**63 - 1
    assert np.array_equal(found.style_picture, picture)
    assert found.style is not None
    assert found.style.picture not in (None, "jobs/a/style.png"), "keys of the object store stay where they are"


def test_a_request_needs_neither_instances_nor_style() -> None:
    found = decode_request(encode_request(PictureRequest(label_map=MAP, instance_map=None, seed=0)))
    assert (found.instance_map, found.style, found.style_picture) == (None, None, None)


def test_presets_and_blends_arrive() -> None:
    style = ChosenStyle(first="day", second="night", weight=0.25)
    found = decode_request(encode_request(PictureRequest(label_map=MAP, instance_map=None, seed=0, style=style)))
    assert found.style == style


def made(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b"SPADE\x01\r\n" + struct.pack("<I", len(text)) + text + data


GOOD = {"size": [1, 1], "instances": False, "seed": 0, "style": None, "picture": None}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"seed": 0}, "content type must be application/octet-stream"),
        (b"", "does not begin as requests"),
        (b"SPADE\x01\r\n\x00", "does not begin as requests"),
        (made(b"x" * 5000), "header has 5000 bytes"),
        (made(b"{"), "header cannot be read"),
        (made(["list"]), "header cannot be read"),
        (made({**GOOD, "size": [1]}), "header cannot be read"),
        (made({**GOOD, "size": [0, 1]}), "a size is 0x1"),
        (made({**GOOD, "size": [2**14 + 1, 1]}), "a size is 16385x1"),
        (made({**GOOD, "size": [True, 1]}), "True must be a whole number"),
        (made({**GOOD, "seed": 1.5}, bytes(4)), "1.5 must be a whole number"),
        (made(GOOD, bytes(3)), "3 bytes follow its header, which announces 4"),
        (made({**GOOD, "size": [2**14, 2**14]}, bytes(4)), "4 bytes follow its header"),
        (made({**GOOD, "picture": [1, 1]}, bytes(4)), "which announces 7"),
        (made({**GOOD, "style": [1, None, 0]}, bytes(4)), "its names must be texts"),
        (made({**GOOD, "style": ["day", None, "much"]}, bytes(4)), "header cannot be read"),
    ],
)
def test_whatever_else_comes_is_refused_with_what_is_wrong(body: object, message: str) -> None:
    with pytest.raises(WireError, match=message):
        decode_request(body)


def test_every_request_that_was_cut_short_is_refused() -> None:
    whole = encode_request(PictureRequest(label_map=MAP, instance_map=MAP, seed=0))
    for length in range(len(whole)):
        with pytest.raises(WireError):
            decode_request(whole[:length])


def test_a_picture_of_another_size_is_no_answer() -> None:
    picture = np.arange(3 * 4 * 3, dtype=np.uint8).reshape(3, 4, 3)
    assert np.array_equal(decode_picture(picture.tobytes(), 3, 4), picture)
    with pytest.raises(ValueError, match="reshape"):
        decode_picture(picture.tobytes()[:-1], 3, 4)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (OutOfMemoryError("no room"), 507, OutOfMemoryError),
        (WireError("no room"), 422, ConfigError),
        (WeightsError("no room"), 500, SpadeError),
        (RuntimeError("no room"), 500, None),
    ],
)
def test_errors_arrive_as_what_they_mean(error: Exception, status: int, kind: type[SpadeError] | None) -> None:
    found_status, body = encode_error(error)
    assert found_status == status
    told = decode_error(body)
    assert told is not None
    assert told[0] is kind
    assert "no room" in told[1]


@pytest.mark.parametrize("body", [b"", b"error", b"[]", b'{"code": 503, "type": "x", "message": "y"}'])
def test_what_torchserve_says_itself_is_none_of_our_errors(body: bytes) -> None:
    assert decode_error(body) is None
