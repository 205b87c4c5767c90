"""PNGs that are damaged, lie, or are of kinds that nobody sends."""

import struct
import zlib
from collections.abc import Callable
from random import Random

import numpy as np

from support.fuzz.cases import Case, Cases, Target, with_file
from support.label_maps import GREY, GREY_ALPHA, INDEXED, RGB, RGB_ALPHA, chunk, plte, png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KINDS = ((1, GREY), (2, GREY), (4, GREY), (8, GREY), (16, GREY), (8, RGB), (16, RGB), (8, GREY_ALPHA), (8, RGB_ALPHA))
CHANNELS = {GREY: 1, RGB: 3, INDEXED: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}


def valid(random: Random) -> bytes:
    """A PNG of some kind that is whole, whatever its pixels mean."""
    depth, color_type = random.choice((*KINDS, (8, INDEXED), (4, INDEXED)))
    height, width = random.randint(1, 24), random.randint(1, 24)
    shape = (height, width, CHANNELS[color_type])
    samples = np.random.default_rng(random.randrange(2**32)).integers(0, 2 ** min(depth, 3), shape)
    palette = plte(*(random.randrange(2**24) for _ in range(random.randint(1, 20)))) if color_type == INDEXED else b""
    interlaced = random.random() < 0.3
    return png(samples, depth=depth, color_type=color_type, before_data=palette, interlaced=interlaced)


def flipped(random: Random) -> bytes:
    data = bytearray(valid(random))
    for _ in range(random.randint(1, 8)):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(data)


def flipped_with_right_checksums(random: Random) -> bytes:
    """Past the checksums, so that what they protect is wrong."""
    data, result = flipped(random), SIGNATURE
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        result += chunk(kind, data[position + 8 : position + 8 + min(length, 10_000)])
        position += 12 + length
    return result


def truncated(random: Random) -> bytes:
    data = valid(random)
    return data[: random.randrange(len(data))]


def wrong_checksum(random: Random) -> bytes:
    data = bytearray(valid(random))
    data[random.choice((29, 30, len(data) - 1, len(data) - 14))] ^= 0xFF
    return bytes(data)


def header(random: Random) -> bytes:
    """A header that says anything."""
    sides = (0, 1, 8192, 8193, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
    fields = (
        random.choice(sides),
        random.choice(sides),
        random.choice((0, 1, 3, 8, 16, 32, 255)),
        *(random.choice((0, 1, 2, 3, 4, 6, 7, 255)) for _ in range(2)),
        random.choice((0, 1)),
        random.choice((0, 1, 2, 255)),
    )
    data = chunk(b"IDAT", zlib.compress(bytes(64)))
    return SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", *fields)) + data + chunk(b"IEND")


def bomb(random: Random) -> bytes:
    """Pixel data that grows a thousandfold, beyond the picture's size or up to the largest that is read."""
    side = random.choice((1, 64, 1024, 4096))
    rows = random.choice((1, 2, 64)) * side
    return png([[0]], size=(side, side), pixel_data=bytes(min(rows * (side + 1), 2**25)))


def animated(random: Random) -> bytes:
    frames = struct.pack(">II", random.randint(0, 2**32 - 1), 0)
    return png([[0, 1]], before_data=chunk(b"acTL", frames) + chunk(b"fcTL", bytes(26)))


def chunks(random: Random) -> bytes:
    """Chunks that nobody knows, that come too often, or that never end."""
    kinds = (
        b"IDAT",
        b"PLTE",
        b"tRNS",
        b"IHDR",
        b"IEND",
        b"zTXt",
        b"iCCP",
        b"eXIf",
        b"ABCD",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
    )
    extra = b"".join(
        chunk(random.choice(kinds), random.randbytes(random.randint(0, 40))) for _ in range(random.choice((1, 3, 3000)))
    )
    return png([[0, 1]], before_data=extra)


def text_bomb(_: Random) -> bytes:
    packed = zlib.compress(bytes(2**24))
    return png([[0]], before_data=chunk(b"zTXt", b"a\0\0" + packed) + chunk(b"iCCP", b"a\0\0" + packed))


def long_chunk(random: Random) -> bytes:
    return (
        SIGNATURE
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0))
        + struct.pack(">I4s", random.choice((2**31 - 1, 2**32 - 1)), b"IDAT")
    )


def other_format(random: Random) -> bytes:
    beginnings = (b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"II*\0", b"RIFF\0\0\0\0WEBP", b"<svg ", b"%PDF", b"")
    return random.choice(beginnings) + random.randbytes(random.randint(0, 200))


def cut_pixel_data(random: Random) -> bytes:
    packed = zlib.compress(bytes(17 * 16))
    data = random.choice((packed[: random.randrange(len(packed))], packed + packed, random.randbytes(20), b""))
    return (
        SIGNATURE
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", data)
        + chunk(b"IEND")
    )


MAKERS: tuple[Callable[[Random], bytes], ...] = (
    *(valid, flipped, flipped_with_right_checksums, truncated, wrong_checksum, header, bomb, animated, chunks),
    *(text_bomb, long_chunk, other_format, cut_pixel_data),
)


def cases(random: Random, _: Target) -> Cases:
    while True:
        for make in MAKERS:
            yield Case(category="png", name=make.__name__, data=with_file(random, make(random)))
