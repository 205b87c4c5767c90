"""What one request to TorchServe and its answer are made of, as bytes. Light: numpy.

A request is a mark, the length of a header, the header as JSON, and then the arrays as they are in memory, nothing
packed: its length follows from its header, so that nothing can unfold into more than was sent. An answer is the
picture's bytes, or JSON that says what was wrong.

H W pixels.
"""

import hashlib
import json
import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model_store.chosen_style import ChosenStyle
from spade.errors import ConfigError, OutOfMemoryError, SpadeError

CONTENT_TYPE: Final = "application/octet-stream"
"""Of requests and of pictures; TorchServe hands it to the backend as it is."""
BATCH_HEADER: Final = "x-spade-batch-items"
"""Header of an answer: how many requests the backend was given at once."""
MAX_REQUEST_BYTES: Final = 64 * 2**20

_MARK: Final = b"SPADE\x01\r\n"
_LENGTH: Final = struct.Struct("<I")
_MAX_HEADER_BYTES: Final = 4096
_MAX_SIDE: Final = 2**14
_IDS: Final = np.dtype("<i4")
_ERRORS: Final[dict[str, tuple[type[SpadeError], int]]] = {
    "out-of-memory": (OutOfMemoryError, 507),
    "input": (ConfigError, 422),
    "model": (SpadeError, 500),
}
"""By their name on the wire, the narrowest first: class and HTTP status."""
_OTHER_ERROR: Final = 500


class WireError(ConfigError):
    """A request that is not made as `encode_request` makes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRequest:
    """One picture to make."""

    label_map: NDArray[np.int32]
    """(H, W) class ids, unknown as label_nc"""
    instance_map: NDArray[np.int32] | None
    """(H, W) of which only equality counts; None: the label map stands in"""
    seed: int
    style: ChosenStyle | None = None
    style_picture: NDArray[np.uint8] | None = None
    """RGB (h, w, 3), where the style is that of a picture"""
    weights_sha256: str | None = None
    """Of the weights that it is asked of; None: of those that are there"""


def encode_request(request: PictureRequest) -> bytes:
    """The body of a request."""
    style, picture = request.style, request.style_picture
    header = {
        "size": list(request.label_map.shape),
        "instances": request.instance_map is not None,
        "seed": request.seed,
        "style": None if style is None else [style.first, style.second, style.weight],
        "picture": None if picture is None else list(picture.shape[:2]),
        "weights": request.weights_sha256,
    }
    text = json.dumps(header).encode()
    ids = [request.label_map] if request.instance_map is None else [request.label_map, request.instance_map]
    arrays = [one.astype(_IDS).tobytes() for one in ids] + ([] if picture is None else [picture.tobytes()])
    return b"".join([_MARK, _LENGTH.pack(len(text)), text, *arrays])


def decode_request(body: object) -> PictureRequest:
    """Reads what `encode_request` made. Raises WireError: where it is anything else."""
    if not isinstance(body, bytes | bytearray):
        raise WireError(f"request: its content type must be {CONTENT_TYPE}")
    start = len(_MARK) + _LENGTH.size
    if body[: len(_MARK)] != _MARK or len(body) < start:
        raise WireError("request: it does not begin as requests of this version do; archive and worker must fit")
    (length,) = _LENGTH.unpack_from(body, len(_MARK))
    if length > _MAX_HEADER_BYTES:
        raise WireError(f"request: its header has {length} bytes; at most {_MAX_HEADER_BYTES} are read")
    try:
        return _read(json.loads(body[start : start + length]), memoryview(body)[start + length :])
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
        raise WireError(f"request: its header cannot be read: {type(error).__name__}: {error}") from error


def _read(header: dict[str, Any], data: memoryview) -> PictureRequest:
    height, width = _sides(header["size"])
    picture_sides = None if header["picture"] is None else _sides(header["picture"])
    maps = 2 if header["instances"] is True else 1
    map_bytes = height * width * _IDS.itemsize
    picture_bytes = 0 if picture_sides is None else picture_sides[0] * picture_sides[1] * 3
    if len(data) != maps * map_bytes + picture_bytes:
        wanted = maps * map_bytes + picture_bytes
        raise WireError(f"request: {len(data)} bytes follow its header, which announces {wanted}")
    ids = np.frombuffer(data[: maps * map_bytes], _IDS).reshape(maps, height, width).astype(np.int32)
    picture = None
    if picture_sides is not None:
        picture = np.frombuffer(data[maps * map_bytes :], np.uint8).reshape(*picture_sides, 3)
    return PictureRequest(
        label_map=ids[0],
        instance_map=ids[1] if maps == 2 else None,
        seed=_integer(header["seed"]),
        style=_style(header["style"], picture),
        style_picture=picture,
        weights_sha256=header.get("weights"),  # workers of before do not say
    )


def _style(values: list[Any] | None, picture: NDArray[np.uint8] | None) -> ChosenStyle | None:
    """Pictures go by their digests, so that a batch reads the style of equal ones once."""
    if values is None:
        return None
    first, second, weight = values
    if any(name is not None and not isinstance(name, str) for name in (first, second)):
        raise WireError(f"request: its style is {values}; its names must be texts")
    digest = None if picture is None else hashlib.sha256(picture.tobytes()).hexdigest()
    if not 0 <= float(weight) <= 1:
        raise WireError(f"request: the weight of its style is {weight}; it must be 0 to 1")
    return ChosenStyle(first=first, second=second, weight=float(weight), picture=digest)


def _sides(values: list[Any]) -> tuple[int, int]:
    height, width = (_integer(value) for value in values)
    if not (1 <= height <= _MAX_SIDE and 1 <= width <= _MAX_SIDE):
        raise WireError(f"request: a size is {height}x{width}; its sides must be from 1 to {_MAX_SIDE}")
    return height, width


def _integer(value: object) -> int:
    if type(value) is not int:
        raise WireError(f"request: {value!r} must be a whole number")
    return value


def decode_picture(body: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """RGB (H, W, 3) of an answer. Raises ValueError: where it holds no picture of this size."""
    return np.frombuffer(body, np.uint8).reshape(height, width, 3)


def encode_error(error: Exception) -> tuple[int, bytes]:
    """HTTP status and body of an answer that has no picture."""
    for name, (kind, status) in _ERRORS.items():
        if isinstance(error, kind):
            return status, json.dumps({"error": name, "detail": str(error)}).encode()
    return _OTHER_ERROR, json.dumps({"error": "other", "detail": f"{type(error).__name__}: {error}"}).encode()


def decode_error(body: bytes) -> tuple[type[SpadeError] | None, str] | None:
    """Class, None for one that is not ours, and text of an error; None where `encode_error` did not write this."""
    try:
        values = json.loads(body)
        name, detail = values["error"], values["detail"]
    except (ValueError, KeyError, TypeError):
        return None
    kind = _ERRORS.get(name)
    return (None if kind is None else kind[0]), str(detail)
