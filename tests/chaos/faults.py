"""The faults: each strikes once, waits until it can be seen that it did, and says what came of it."""

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psutil

from api.client import SpadeClient
from chaos.engine import KILLS_ALWAYS, KILLS_ONCE
from chaos.load import Load
from chaos.stack import LEASE_SECONDS, ChaosStack
from deploy.local.child import Child
from support.fault_proxy import Mode

_SEEN_SECONDS: Final = 60.0
_WINDOW_SECONDS: Final = 1.0
_pause: Final = threading.Event()


class FaultNotSeenError(Exception):
    """What should have followed from a fault did not."""


class Faults:
    """Strikes a stack under load."""

    def __init__(self, stack: ChaosStack, client: SpadeClient, load: Load, draw: random.Random) -> None:
        self._stack = stack
        self._client = client
        self._load = load
        self._draw = draw
        self._number = 0
        self.kinds: dict[str, Callable[[], None]] = {
            "worker killed": lambda: self._kill(self._worker()),
            "worker told to end": lambda: self._end(self._worker()),
            "worker paused past its lease": self._pause_worker,
            "item kills its worker always": lambda: self._submit_killer(KILLS_ALWAYS),
            "item kills its worker once": lambda: self._submit_killer(KILLS_ONCE),
            "API killed": lambda: self._kill(self._stack.child("api")),
            "API process killed": lambda: self._replace_api_processes(signal.SIGKILL),
            "API restarted by HUP": lambda: self._replace_api_processes(signal.SIGHUP),
            "Redis killed": lambda: self._kill(self._stack.child("redis")),
            "Redis restarted": lambda: self._end(self._stack.child("redis")),
            "object store killed": lambda: self._kill(self._stack.child("s3")),
            **{f"object store: {mode}": lambda mode=mode: self._proxy(mode) for mode in Mode if mode is not Mode.PASS},
            "client gone amid its upload": self._leave_upload,
        }

    def strike(self, kind: str) -> None:
        """Raises `FaultNotSeenError`."""
        self.kinds[kind]()

    def _worker(self) -> Child:
        return self._stack.child(f"worker-{self._draw.randint(1, 2)}")

    def _kill(self, child: Child) -> None:
        self._signal(child, signal.SIGKILL)

    def _end(self, child: Child) -> None:
        self._signal(child, signal.SIGTERM)

    def _signal(self, child: Child, number: int) -> None:
        """To its whole group if it is to die at once; wait for its successor."""
        pid = self._running(child)
        with suppress(ProcessLookupError):
            os.killpg(pid, number) if number == signal.SIGKILL else os.kill(pid, number)
        self._await(lambda: child.pid != pid and child.is_running(), f"{child.program.name} was started again")

    def _running(self, child: Child) -> int:
        self._await(child.is_running, f"{child.program.name} runs")
        assert child.pid is not None
        return child.pid

    def _pause_worker(self) -> None:
        child = self._worker()
        pid = self._running(child)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGSTOP)
            _pause.wait(LEASE_SECONDS * 1.5)
            os.killpg(pid, signal.SIGCONT)

    def _submit_killer(self, first: int) -> None:
        self._number += 1
        job = self._load.submit(self._client, self._draw, f"killer-{first}-{self._number}", first=first)
        if job is None:
            raise FaultNotSeenError("a job with an item that kills its worker was not accepted")

    def _replace_api_processes(self, number: int) -> None:
        pid = self._running(self._stack.child("api"))
        processes: list[psutil.Process] = []
        with suppress(psutil.Error):
            master = psutil.Process(pid)
            self._await(lambda: len(master.children()) >= 1, "the API has processes")
            processes = master.children()
            if number == signal.SIGHUP:
                os.kill(pid, number)
            else:
                processes[0].kill()
                processes = processes[:1]
        self._await(lambda: not any(_runs(process) for process in processes), "processes of the API ended")

    def _proxy(self, mode: Mode) -> None:
        """For a while, and until at least one request was struck."""
        proxy = self._stack.proxy
        before = proxy.struck[mode]
        proxy.mode = mode
        try:
            _pause.wait(_WINDOW_SECONDS)
            self._await(lambda: proxy.struck[mode] > before, f"a request of the object store met {mode}")
        finally:
            proxy.mode = Mode.PASS

    def _leave_upload(self) -> None:
        host, _, port = self._stack.url.removeprefix("http://").partition(":")
        head = "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        part = '--b\r\nContent-Disposition: form-data; name="label_map"; filename="a.png"\r\n\r\n\x89PNG'
        deadline = time.monotonic() + _SEEN_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection((host, int(port)), 5) as connection:
                connection.sendall(f"{head}Content-Length: 100000\r\n\r\n{part}".encode("latin-1") + bytes(20_000))
                return
            _pause.wait(0.1)
        raise FaultNotSeenError("the API took no connection")

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _SEEN_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise FaultNotSeenError(f"not within {_SEEN_SECONDS:g} s: {what}")
            _pause.wait(0.02)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
