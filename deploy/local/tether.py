"""Ties a process to the one that started it: when the parent dies, however it dies, the kernel kills the child.

Run as a program it ties itself and then becomes the command: `python tether.py PARENT_PID COMMAND...`. This is an own
small program rather than a `preexec_fn` because code between fork and exec may hang in a process with threads.
Only Linux offers this; elsewhere a supervisor that is killed with SIGKILL leaves its children behind.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Have this process killed when its parent ends. Exits at once when the parent is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit("the process that started this one is gone")


def main(arguments: list[str]) -> None:
    """Become the command in `arguments[1:]`, tied to the parent whose process id is `arguments[0]`."""
    die_with_parent(int(arguments[0]))
    os.execv(arguments[1], arguments[1:])  # noqa: S606 - a list, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
