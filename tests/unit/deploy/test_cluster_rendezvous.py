"""A node waits for the rendezvous of all."""

import socket
from concurrent.futures import ThreadPoolExecutor

from deploy.cluster.rendezvous import wait_for_rendezvous
from deploy.local.ports import free_port


def test_a_rendezvous_that_comes_later_is_waited_for() -> None:
    port = free_port()
    with ThreadPoolExecutor(1) as waiting:
        found = waiting.submit(wait_for_rendezvous, f"127.0.0.1:{port}", seconds=60)
        with socket.create_server(("127.0.0.1", port)):
            assert found.result(60)


def test_a_rendezvous_that_never_comes_is_given_up() -> None:
    assert not wait_for_rendezvous(f"127.0.0.1:{free_port()}", seconds=0.1)


def test_a_name_that_is_not_known_yet_is_no_error() -> None:
    assert not wait_for_rendezvous("run1-0.nowhere.invalid:29400", seconds=0.1)
