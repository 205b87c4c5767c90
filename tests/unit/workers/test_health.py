"""Probes of a worker."""

import socket
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from deploy.local.ports import LOOPBACK, free_port
from workers.health import HealthServer


def test_a_connection_that_says_nothing_keeps_no_probe_waiting(capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    server = HealthServer(
        host=LOOPBACK, port=port, registry=CollectorRegistry(), is_live=lambda: True, is_ready=lambda: True
    )
    server.start()
    try:
        with (
            socket.create_connection((LOOPBACK, port)),
            urllib.request.urlopen(f"http://{LOOPBACK}:{port}/livez", timeout=10) as answer,
        ):
            assert answer.read() == b"ok\n"
    finally:
        server.stop()
    assert capfd.readouterr().err == ""
