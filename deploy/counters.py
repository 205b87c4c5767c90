"""Counters that several processes of the API share, as files that each of them maps into its memory."""

import logging
import os
from pathlib import Path

from prometheus_client import values

_KINDS = ("counter", "histogram")
_RESERVED_BYTES = 2**19
"""A file of every series that there can be is half as long."""

_log = logging.getLogger(__name__)


def count_as(number: int, folder: Path) -> None:
    """Have this process count in the files of `number`, which goes on where an earlier process of that number ended.

    To be called before the first counter is made. The files' space is reserved: where a mapped file has a hole that
    the disk has no room to fill, the kernel kills whoever writes to it. Where there is no room even now, the process
    counts for itself alone.
    """
    try:
        for kind in _KINDS:
            with (folder / f"{kind}_{number}.db").open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, _RESERVED_BYTES)
    except OSError as error:
        _log.warning("no room for shared counters", extra={"error": str(error)})
        values.ValueClass = values.MutexValue
        return
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]  # the library is untyped here
