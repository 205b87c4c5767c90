"""The rendezvous of a run's nodes: at the first of them, which may need a machine or an image before it can answer."""

import socket
import time
from typing import Final

_PAUSE_SECONDS: Final = 1.0
_CONNECT_SECONDS: Final = 5.0


def wait_for_rendezvous(address: str, *, seconds: float) -> bool:
    """Whether something listens at `address` (host:port), which is waited for. torchrun by itself gives up in a minute,
    and a node that has given up counts as a failed one.
    """
    host, _, port = address.rpartition(":")
    until = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS):
                return True
        except OSError:
            if time.monotonic() + _PAUSE_SECONDS > until:
                return False
        time.sleep(_PAUSE_SECONDS)
