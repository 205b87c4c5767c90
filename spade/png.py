"""PNG files read sample by sample: what is stored, not what a viewer would show.

General image readers are made for looking: they stretch 1-, 2- and 4-bit grey to 0..255, halve 16-bit samples with
alpha, fill the rows that a cut file lacks with zeros, and read any text chunk however large it unpacks. For class ids
each of these is a silent mistake, so the container is checked here and only clean pixel data goes on to Pillow.

Source: PNG specification, third edition (W3C, 2025), sections 5, 8 and 11. H W: pixels, C: channels.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spade.errors import SpadeError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 100_000
KNOWN_CRITICAL_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
ADAM7_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


class PngError(SpadeError):
    """A file that is no readable PNG; `code` is `corrupt`, `truncated` or `unsupported-format`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class ColorType(IntEnum):
    """What a sample means, as the header numbers it."""

    GREY = 0
    RGB = 2
    INDEXED = 3
    GREY_ALPHA = 4
    RGB_ALPHA = 6


CHANNELS = {
    ColorType.GREY: 1,
    ColorType.RGB: 3,
    ColorType.INDEXED: 1,
    ColorType.GREY_ALPHA: 2,
    ColorType.RGB_ALPHA: 4,
}
BIT_DEPTHS = {
    ColorType.GREY: (1, 2, 4, 8, 16),
    ColorType.RGB: (8, 16),
    ColorType.INDEXED: (1, 2, 4, 8),
    ColorType.GREY_ALPHA: (8, 16),
    ColorType.RGB_ALPHA: (8, 16),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PngHeader:
    """The IHDR chunk, checked."""

    width: int
    height: int
    bit_depth: int
    color_type: ColorType
    interlaced: bool

    @property
    def channels(self) -> int:
        """Samples of a pixel."""
        return CHANNELS[self.color_type]

    def unpacked_bytes(self) -> int:
        """Length of the pixel data once inflated: one filter byte a row, rows padded to whole bytes."""
        bits = self.channels * self.bit_depth
        passes = ADAM7_PASSES if self.interlaced else ((0, 0, 1, 1),)
        total = 0
        for left, top, step_x, step_y in passes:
            columns = -(-(self.width - left) // step_x)
            rows = -(-(self.height - top) // step_y)
            if columns > 0 and rows > 0:
                total += rows * (1 + -(-columns * bits // 8))
        return total

    def to_chunk(self) -> bytes:
        """The IHDR chunk again."""
        fields = (self.width, self.height, self.bit_depth, self.color_type, 0, 0, int(self.interlaced))
        return _chunk(b"IHDR", struct.pack(">IIBBBBB", *fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class PngFile:
    """A PNG taken apart. `palette` and `transparency` hold the PLTE and tRNS bytes, `pixel_data` all IDAT bytes."""

    header: PngHeader
    palette: bytes
    transparency: bytes
    pixel_data: bytes


def read_header(data: bytes) -> PngHeader:
    """Read the size and the pixel format without touching the pixels. Raises PngError."""
    if not data.startswith(SIGNATURE):
        raise PngError("unsupported-format", "the file does not begin like a PNG file")
    if len(data) < len(SIGNATURE) + 25:
        raise PngError("truncated", f"the file ends after {len(data)} bytes, within its header")
    length, kind = struct.unpack_from(">I4s", data, len(SIGNATURE))
    if (length, kind) != (13, b"IHDR"):
        raise PngError("corrupt", "the file does not begin with an IHDR chunk")
    width, height, bit_depth, color_type, compression, filtering, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    if width < 1 or height < 1:
        raise PngError("corrupt", f"the header says {width}x{height} pixels")
    if color_type not in CHANNELS or bit_depth not in BIT_DEPTHS[ColorType(color_type)]:
        raise PngError(
            "corrupt", f"the header says colour type {color_type} with {bit_depth} bits, which does not exist"
        )
    if compression != 0 or filtering != 0 or interlace > 1:
        raise PngError("corrupt", "the header names a compression, filter or interlace method that does not exist")
    return PngHeader(
        width=width,
        height=height,
        bit_depth=bit_depth,
        color_type=ColorType(color_type),
        interlaced=interlace == 1,
    )


def read_png(data: bytes) -> PngFile:
    """Take a PNG apart and check its chunks. Text, colour profiles and other extras are skipped unread.

    Raises PngError with code `truncated` when the file ends early, `corrupt` when a checksum does not hold.
    """
    header = read_header(data)
    parts: dict[bytes, list[bytes]] = {b"PLTE": [], b"tRNS": [], b"IDAT": []}
    position = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if position + 12 > len(data):
            raise PngError("truncated", f"the file ends after {len(data)} bytes, before its end mark (IEND)")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise PngError("truncated", f"the file ends after {len(data)} bytes, within its chunk {_name(kind)}")
        if kind == b"IEND":
            break
        if kind == b"acTL":
            raise PngError("unsupported-format", "the file is an animated PNG; send one picture a file")
        _check_critical(data, kind, position, length)
        if kind in parts:
            parts[kind].append(data[position + 8 : end - 4])
        position = end
    else:
        raise PngError("corrupt", f"the file has more than {MAX_CHUNKS} chunks")
    if not parts[b"IDAT"]:
        raise PngError("corrupt", "the file has no pixel data (IDAT)")
    if header.color_type is ColorType.INDEXED and not parts[b"PLTE"]:
        raise PngError("corrupt", "the file is indexed but has no palette (PLTE)")
    palette, transparency, pixel_data = (b"".join(part) for part in parts.values())
    return PngFile(header=header, palette=palette, transparency=transparency, pixel_data=pixel_data)


def read_samples(png: PngFile) -> NDArray[np.unsignedinteger]:
    """The stored samples, (H, W, C): palette indices, or grey and colour values as stored at the file's bit depth.

    uint8 for up to 8 bits, 0..2**bit_depth-1; uint16 for 16-bit grey. Raises PngError `unsupported-format` for 16-bit
    samples in several channels, `truncated` or `corrupt` when the pixel data does not fill the picture.
    """
    header = png.header
    if header.bit_depth == 16 and header.channels > 1:
        raise PngError("unsupported-format", "16 bits a channel are read for plain grey only; save it with 8 bits")
    _check_pixel_data(png)
    # Without tRNS: Pillow would otherwise change the picture's mode for some kinds of it.
    extras = _chunk(b"PLTE", png.palette) if header.color_type is ColorType.INDEXED else b""
    clean = SIGNATURE + header.to_chunk() + extras + _chunk(b"IDAT", png.pixel_data) + _chunk(b"IEND", b"")
    try:
        with Image.open(io.BytesIO(clean), formats=["PNG"]) as image:
            shown = np.asarray(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise PngError("corrupt", f"the pixel data cannot be decoded: {error}") from error
    stored = shown.reshape(header.height, header.width, header.channels)
    if header.bit_depth == 16:
        return stored.astype(np.uint16)
    if header.color_type is ColorType.GREY and header.bit_depth in (2, 4):
        # Pillow multiplies by 85 and by 17; 1-bit grey comes as booleans.
        stored = stored // (255 // (2**header.bit_depth - 1))
    return stored.astype(np.uint8)


def _check_critical(data: bytes, kind: bytes, position: int, length: int) -> None:
    is_critical = not kind[0] & 0x20
    if is_critical and kind not in KNOWN_CRITICAL_CHUNKS:
        raise PngError("corrupt", f"the file needs an unknown chunk {_name(kind)}")
    if is_critical or kind == b"tRNS":
        payload = memoryview(data)[position + 4 : position + 8 + length]
        (expected,) = struct.unpack_from(">I", data, position + 8 + length)
        if zlib.crc32(payload) != expected:
            raise PngError("corrupt", f"the checksum of its chunk {_name(kind)} does not hold; send the file again")


def _check_pixel_data(png: PngFile) -> None:
    expected = png.header.unpacked_bytes()
    inflater = zlib.decompressobj()
    try:
        unpacked = len(inflater.decompress(png.pixel_data, expected + 1))
    except zlib.error as error:
        raise PngError("corrupt", f"the pixel data cannot be unpacked: {error}") from error
    if unpacked > expected:
        raise PngError("corrupt", "the pixel data is longer than the picture")
    if unpacked < expected or not inflater.eof:
        raise PngError("truncated", f"the pixel data ends after {unpacked} of {expected} bytes")


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", len(payload), kind) + payload + struct.pack(">I", zlib.crc32(kind + payload))


def _name(kind: bytes) -> str:
    return kind.decode("ascii", "backslashreplace")
