"""A network for processes that play pods: a switch with a cable to each pod, in namespaces of their own.

Nothing of it is seen from the machine's own network, and a namespace lives as long as the process that holds it, so
all of it goes with the process that made it, however that ends. Names are the same in every network, which are apart.
"""

import ipaddress
import itertools
import subprocess
from types import TracebackType
from typing import Self

PREFIX_LENGTH = 24
_FIRST_ADDRESS = ipaddress.IPv4Address("10.11.12.100")  # three digits from the first to the last, see names.py
_HOLD = "ip link set lo up && echo up && exec cat"  # cat ends with its input


class Namespace:
    """A network namespace, held by a process that waits; like the pause container of a pod."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"up\n", "no network namespace can be made"

    @property
    def holder(self) -> int:
        """Process id of who holds it."""
        return self._holder.pid

    @property
    def entering(self) -> list[str]:
        """What to put before a command to run it there."""
        return ["nsenter", f"--net=/proc/{self.holder}/ns/net"]

    def ip(self, arguments: str) -> None:
        """Run `ip` there."""
        subprocess.run([*self.entering, "ip", *arguments.split()], check=True)

    def close(self) -> None:
        """Let go of it; it lasts until the processes in it have ended. To close it again does nothing."""
        with self._holder:
            self._holder.kill()


class Network:
    """Ethernet between namespaces, with an address for each."""

    def __init__(self) -> None:
        self._switch = Namespace()
        self._switch.ip("link add switch type bridge")
        self._switch.ip("link set switch up")
        self._numbers = itertools.count()
        self._connected: list[Namespace] = []

    def connect(self) -> tuple[Namespace, str]:
        """A new namespace on this network, with eth0, and its address, which none had before."""
        number = next(self._numbers)
        namespace, address = Namespace(), str(_FIRST_ADDRESS + number)
        self._connected.append(namespace)
        self._switch.ip(f"link add port{number} type veth peer name eth0 netns {namespace.holder}")
        self._switch.ip(f"link set port{number} master switch up")
        namespace.ip(f"address add {address}/{PREFIX_LENGTH} dev eth0")
        namespace.ip("link set eth0 up")
        return namespace, address

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for namespace in [*self._connected, self._switch]:
            namespace.close()
