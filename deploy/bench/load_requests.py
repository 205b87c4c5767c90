"""The request that the load benchmark sends over and over, and what its processes tell one another."""

import json
from typing import Final

import numpy as np

from spade.label_images import encode_ids_png

MODEL: Final = "landscape"
PATH: Final = "/v1/jobs"
REFUSED_ODDLY: Final = "429 without Retry-After"
ACCEPTED_VARIABLE: Final = "SPADE_BENCH_ACCEPTED"
VARIATIONS_VARIABLE: Final = "SPADE_BENCH_VARIATIONS"
_BOUNDARY: Final = "spade-serve-bench-load"
_SIDE_PIXELS: Final = 256
_CLASSES: Final = 8


def submission(*, variations: int, label_maps: int = 1) -> tuple[bytes, dict[str, str]]:
    """Body and header fields of a job with painted label maps of 256x256 pixels, no two of them alike."""
    params = json.dumps({"model": MODEL, "seed": 1, "variations": variations, "priority": "normal"})
    rows = np.arange(_SIDE_PIXELS) * _CLASSES // _SIDE_PIXELS
    parts = [_part('name="params"', params.encode())]
    for index in range(label_maps):
        content = encode_ids_png(np.repeat(np.roll(rows, index)[:, None], _SIDE_PIXELS, axis=1))
        parts.append(_part(f'name="label_map"; filename="{index}.png"', content))
    body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}


def _part(disposition: str, content: bytes) -> bytes:
    return f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + content + b"\r\n"
