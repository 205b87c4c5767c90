"""How much memory something takes: the peak of a fresh process that does nothing else."""

import multiprocessing
import resource
from collections.abc import Callable
from pathlib import Path


def peak_memory_alone(function: Callable[..., None], *arguments: object) -> int:
    """Peak resident memory, bytes, of a fresh process that calls `function`, a module's own, with `arguments`."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_after, (function, arguments))


def _peak_after(function: Callable[..., None], arguments: tuple[object, ...]) -> int:
    function(*arguments)
    status = Path("/proc/self/status")
    if status.exists():  # there, unlike in getrusage, the peak does not begin with that of the parent process
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
