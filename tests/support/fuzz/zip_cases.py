"""ZIPs that lead elsewhere, grow without end, lie about themselves, or are packed in ways that nobody reads."""

import io
import stat
import struct
import zlib
from collections.abc import Callable
from random import Random
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

from support.fuzz.cases import Case, Cases, Target, with_file
from support.label_maps import png

MAP = png([[0, 1], [2, 3]])
PATHS = (
    *("../a.png", "../../etc/passwd", "/etc/passwd", "//a.png", "a/../../b.png", "./a.png", "a//b.png", "a/./b.png"),
    *("..\\a.png", "C:\\a.png", "C:a.png", "\\\\host\\a.png", "a\0b.png", "\x1b[2J.png", "\n.png", ".", "..", "/"),
    *("a" * 60_000 + ".png", "\u202egnp.a", "ﾊ.png", "a/" * 5000 + "a.png", "CON.png", "a.png.", "a.instance.png"),
)


def zipped(members: list[tuple[str, bytes]], *, method: int = ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(ZipInfo(name), content, method)
    return buffer.getvalue()


def valid(random: Random) -> bytes:
    return zipped([(f"{index}.png", MAP) for index in range(random.randint(0, 5))])


def flipped(random: Random) -> bytes:
    data = bytearray(valid(random))
    for _ in range(random.randint(1, 8)):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return b"PK\x03\x04" + bytes(data[4:])


def truncated(random: Random) -> bytes:
    data = valid(random)
    return data[: random.randrange(4, len(data))]


def path_tricks(random: Random) -> bytes:
    return _renamed(random.choice(PATHS))


def _renamed(path: str) -> bytes:
    """The name goes in as it is; ZipInfo would change some of it."""
    info = ZipInfo("a")
    info.filename = path
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        archive.writestr(info, MAP)
    return buffer.getvalue()


def special_file(random: Random) -> bytes:
    info = ZipInfo("a.png")
    kind = random.choice((stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR))
    info.external_attr = (kind | 0o777) << 16
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        archive.writestr(info, b"/etc/passwd")
    return buffer.getvalue()


def duplicate_names(_: Random) -> bytes:
    return zipped([("a.png", MAP), ("b.png", MAP)]).replace(b"b.png", b"a.png")


def bomb(random: Random) -> bytes:
    size = random.choice((2**21, 2**24, 2**25 + 1))
    return zipped([(f"{index}.png", bytes(size)) for index in range(random.randint(1, 3))])


def nested(random: Random) -> bytes:
    data = MAP
    for _ in range(random.randint(1, 8)):
        data = zipped([("a.zip", data), ("a.png", data)])
    return data


def quine(_: Random) -> bytes:
    """Every entry of the directory leads to the same data: many times as much as there is."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = packed.compress(bytes(2**20)) + packed.flush()
    crc = zlib.crc32(bytes(2**20))
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, crc, len(content), 2**20, 5, 0) + b"a.png" + content
    entries = b"".join(
        struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, crc, len(content), 2**20, 5, 0, 0, 0, 0, 0, 0)
        + f"{index:05d}".encode()
        for index in range(300)
    )
    return local + entries + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 300, 300, len(entries), len(local), 0)


def encrypted(random: Random) -> bytes:
    return _patched(zipped([("a.png", MAP)]), flags=random.choice((1, 0x41, 0x2001)))


def method(random: Random) -> bytes:
    if random.random() < 0.4:
        return zipped([("a.png", MAP)], method=random.choice((ZIP_BZIP2, ZIP_LZMA)))
    return _patched(zipped([("a.png", MAP)]), compression=random.choice((1, 6, 9, 20, 93, 95, 97, 98, 99, 65535)))


def lying_sizes(random: Random) -> bytes:
    return _patched(zipped([("a.png", MAP)]), size=random.choice((0, 1, 2**20, 2**31, 2**32 - 1)))


def large_form(random: Random) -> bytes:
    """Zip64 records that lie."""
    data = zipped([("a.png", MAP)], method=ZIP_STORED)
    end = data.rindex(b"PK\x05\x06")
    much = random.choice((0, 1, 2**32, 2**63, 2**64 - 1))
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, much, much, much, much)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, random.choice((0, end, 2**64 - 1)), 1)
    full = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    return data[:end] + record + locator + full


def lying_directory(random: Random) -> bytes:
    data = bytearray(valid(random))
    struct.pack_into("<HH2I", data, len(data) - 14, *(random.randrange(2**16) for _ in range(2)), *_two(random))
    return bytes(data)


def many_members(random: Random) -> bytes:
    return zipped([(f"{index}.png", b"") for index in range(random.choice((2000, 4000)))], method=ZIP_STORED)


def comment(random: Random) -> bytes:
    return valid(random)[:-2] + struct.pack("<H", 65535) + random.randbytes(random.choice((0, 100, 65535)))


def _two(random: Random) -> tuple[int, int]:
    return random.choice((0, 5, 2**31, 2**32 - 1)), random.choice((0, 5, 2**31, 2**32 - 1))


def _patched(
    data: bytes, *, flags: int | None = None, compression: int | None = None, size: int | None = None
) -> bytes:
    """The one member's entry in the directory and its local header, changed in the same way."""
    changed = bytearray(data)
    for at, base in ((0, 6), (data.index(b"PK\x01\x02"), 8)):
        if flags is not None:
            struct.pack_into("<H", changed, at + base, flags)
        if compression is not None:
            struct.pack_into("<H", changed, at + base + 2, compression)
        if size is not None:
            struct.pack_into("<I", changed, at + base + 16, size)
    return bytes(changed)


MAKERS: tuple[Callable[[Random], bytes], ...] = (
    *(valid, flipped, truncated, path_tricks, special_file, duplicate_names, bomb, nested, quine, encrypted, method),
    *(lying_sizes, large_form, lying_directory, many_members, comment),
)


def cases(random: Random, _: Target) -> Cases:
    while True:
        for make in MAKERS:
            yield Case(category="zip", name=make.__name__, data=with_file(random, make(random), file="maps.zip"))
