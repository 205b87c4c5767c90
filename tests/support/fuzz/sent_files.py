"""What schemathesis, which loads this file, sends as a file: one that can be used, or any bytes."""

import io
import zipfile
from typing import Any

import numpy as np
import schemathesis
from hypothesis import strategies as st

from spade.label_images import encode_ids_png

MAP = encode_ids_png(np.array([[0, 1], [2, 3]], dtype=np.uint8))
PALETTE = b"id,color\n0,#000000\n"


def zipped(content: bytes) -> bytes:
    """A ZIP with one label map."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", content)
    return buffer.getvalue()


@schemathesis.serializer("application/zip")
def as_it_is(_: Any, value: Any) -> Any:
    """Of the types of our parts the one that schemathesis cannot write."""
    return value


schemathesis.openapi.format("binary", st.sampled_from([MAP, zipped(MAP), PALETTE]) | st.binary())
