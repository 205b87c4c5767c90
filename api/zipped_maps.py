"""Label maps in a ZIP. Its directory is judged before anything is inflated; members are read one by one when needed.

A directory may lie: a member is never inflated beyond the size that its entry gives, and has to have that very size.
"""

import stat
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import IO, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from werkzeug.datastructures import FileStorage

from api.errors import Fault, FilesRefusedError
from api.files import SentFile, pair_by_name, refuse_files
from spade.label_images import LabelMapLimits
from workers.file_names import printable

BEGINNINGS: Final = (b"PK\x03\x04", b"PK\x05\x06")
END_SIGNATURE: Final = b"PK\x05\x06"
ENTRY_SIGNATURE: Final = b"PK\x01\x02"
LARGE_SIGNATURE: Final = b"PK\x06\x07"
END_BYTES: Final = 22
LARGE_BYTES: Final = 20
LOCAL_BYTES: Final = 30
MAX_COMMENT_BYTES: Final = 2**16 - 1
SPARE_MEMBERS: Final = 1000
"""For folders, and for what file managers put beside files."""
MEAN_ENTRY_BYTES: Final = 512
ENCRYPTED_FLAGS: Final = 0x41
HARMLESS_BYTES: Final = 2**20
MAX_RATIO: Final = 200
"""Of members that are not small anyway; label maps as PNG are packed already."""
UNREADABLE: Final = (BadZipFile, EOFError, OSError, RuntimeError, ValueError, struct.error, zlib.error)
"""What zipfile raises for damaged files, and for kinds that it does not know."""

LabelMaps = tuple[SentFile, ...]
InstanceMaps = tuple[SentFile | None, ...]


def is_zip(sent: FileStorage) -> bool:
    """Whether a sent file is, or is called, a ZIP."""
    sent.stream.seek(0)
    return sent.stream.read(4) in BEGINNINGS or (sent.filename or "").lower().endswith(".zip")


def read_zipped_maps(sent: FileStorage, *, max_files: int, max_bytes: int) -> tuple[LabelMaps, InstanceMaps]:
    """Label maps and instance maps in the ZIP, by the names and in the order of its members, paired by name.

    They may have `max_bytes` in all once inflated. Raises FilesRefusedError with every member that cannot be used.
    """
    name = printable(sent.filename or "label_map")
    _check_directory(sent.stream, name, max_members=2 * max_files + SPARE_MEMBERS)
    try:
        archive = ZipFile(sent.stream)
    except UNREADABLE as error:
        raise refuse_files("zip-damaged", f"its directory cannot be read: {error}", file=name) from error
    members = [member for member in archive.infolist() if not _is_left_out(member)]
    faults = [*_faults(members)]
    if faults:
        raise FilesRefusedError(faults)
    if sum(member.file_size for member in members) > max_bytes:
        detail = f"its files have more than {max_bytes} bytes together once they are inflated; send several jobs"
        raise refuse_files("zip-too-large", detail, file=name)
    by_name = {member.filename: member for member in members}

    def file(member_name: str) -> SentFile:
        return SentFile(name=printable(member_name), read=partial(_read, archive, by_name[member_name]))

    return pair_by_name(by_name, file, where="in the ZIP")


def _check_directory(stream: IO[bytes], name: str, *, max_members: int) -> None:
    """Refuse a directory of too many entries before zipfile, which does not bound them, reads it."""
    length = stream.seek(0, 2)
    stream.seek(max(0, length - END_BYTES - MAX_COMMENT_BYTES - LARGE_BYTES))
    tail = stream.read()
    end = tail[-END_BYTES:]
    at = len(tail) - END_BYTES if end[:4] == END_SIGNATURE and end[-2:] == b"\0\0" else tail.rfind(END_SIGNATURE)
    if at < 0 or at + END_BYTES > len(tail):
        raise refuse_files("zip-damaged", "it has no directory at its end; was it cut short?", file=name)
    if tail[: at - LARGE_BYTES + 4 if at >= LARGE_BYTES else 0].endswith(LARGE_SIGNATURE):
        raise refuse_files("zip-too-large", "it is in the form for ZIPs above 4 GiB; send several jobs", file=name)
    (size,) = struct.unpack_from("<L", tail, at + 12)
    stream.seek(max(0, length - len(tail) + at - size))
    if size > max_members * MEAN_ENTRY_BYTES or stream.read(size).count(ENTRY_SIGNATURE) > max_members:
        raise refuse_files("too-many-files", f"it has more than {max_members} members; send several jobs", file=name)


def _is_left_out(member: ZipInfo) -> bool:
    """Folders, and what macOS and others put beside the files that were meant."""
    folders, _, name = member.filename.rpartition("/")
    return not _path_fault(member) and (not name or name.startswith(".") or folders.split("/")[0] == "__MACOSX")


def _faults(members: Sequence[ZipInfo]) -> Iterator[Fault]:
    names = Counter(member.filename for member in members)
    in_order = sorted(members, key=lambda member: member.header_offset)
    overlapping = {
        after.filename
        for before, after in pairwise(in_order)
        if before.header_offset + LOCAL_BYTES + before.compress_size > after.header_offset
    }
    for member in members:
        fault = _path_fault(member) or _content_fault(member)
        if names[member.filename] > 1:
            fault = "member-duplicate", "the ZIP has several files of this name; give each its own"
        elif member.filename in overlapping:
            fault = "member-overlaps", "it lies on top of another file in the ZIP; pack it anew"
        if fault is not None:
            yield Fault(file=printable(member.orig_filename), code=fault[0], detail=fault[1])


def _path_fault(member: ZipInfo) -> tuple[str, str] | None:
    path = member.orig_filename.removesuffix("/")
    if any(character < " " or character in "\\:" for character in path):
        return "member-path", "its path has a control character, a backslash or a colon; give it a plain name"
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        return "member-path", "its path leads elsewhere; no part between slashes may be empty, '.' or '..'"
    return None


def _content_fault(member: ZipInfo) -> tuple[str, str] | None:
    most = LabelMapLimits().max_bytes
    if member.flag_bits & ENCRYPTED_FLAGS:
        return "member-encrypted", "it is encrypted; pack it without a password"
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return "member-compression", f"it is packed by method {member.compress_type}; use deflate or none"
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        return "member-not-a-file", "it is a link or the like; pack the file itself"
    if member.file_size > most:
        return "member-too-large", f"it has {member.file_size} bytes once inflated; at most {most} are read"
    if member.file_size > max(HARMLESS_BYTES, MAX_RATIO * member.compress_size):
        return "member-ratio", f"it would grow to more than {MAX_RATIO} times its size; send it as a PNG that is packed"
    return None


def _read(archive: ZipFile, member: ZipInfo) -> bytes:
    """The member's bytes; one more than announced is asked for, since zipfile inflates no more than it is asked for."""
    name = printable(member.filename)
    try:
        with archive.open(member) as file:
            data = file.read(member.file_size + 1)
    except UNREADABLE as error:
        raise refuse_files("member-damaged", f"it cannot be read from the ZIP: {error}", file=name) from error
    if len(data) != member.file_size:
        detail = f"it has {len(data)} bytes and the ZIP's directory says {member.file_size}"
        raise refuse_files("member-damaged", detail, file=name)
    return data
