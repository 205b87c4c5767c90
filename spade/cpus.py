"""How many CPUs there are for this process. Light: needs no torch, so that programs that start others can ask."""

import math
import os
from pathlib import Path


def usable_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """How many CPUs this process may use: those it is bound to, or fewer where its container is given less time.

    More threads than that wait for one another. `cgroup` is where the kernel tells of the container, version 2.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return max(1, min(bound, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return bound
