"""The supervisor with real servers, and with small Python programs where a server would never misbehave."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import redis

from deploy.errors import ChildFailedError
from deploy.local.child import Child, Program
from deploy.local.ports import free_port
from deploy.local.servers import RedisServer, S3Server, new_password, new_secret_key, plain_environment
from deploy.local.supervisor import Supervisor
from support.programs import is_gone
from support.servers import new_s3_server
from support.waiting import wait_until


@dataclass(frozen=True, kw_only=True)
class Script(Program):
    """A Python program that is ready when it has made the file `ready` in its folder."""

    folder: Path
    code: str
    name: str = "script"
    ready_seconds: float = 10.0
    grace_seconds: float = 5.0

    def command(self) -> list[str]:
        return [sys.executable, "-S", "-c", self.code, str(self.folder / f"{self.name}.ready")]

    def environment(self) -> Mapping[str, str]:
        return plain_environment()

    def prepare(self) -> None:
        (self.folder / f"{self.name}.ready").unlink(missing_ok=True)

    def is_ready(self) -> bool:
        return (self.folder / f"{self.name}.ready").exists()


READY = "import pathlib, signal, sys, time; pathlib.Path(sys.argv[1]).touch(); "
PATIENT = READY + "signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + READY + "[signal.pause() for _ in '...']"


@contextmanager
def supervised(*stages: list[Child]) -> Iterator[tuple[Supervisor, list[str]]]:
    """Runs a supervisor in a thread; gives it and what it reported."""
    events: list[str] = []
    supervisor = Supervisor(stages, report=events.append)
    ready = threading.Event()
    thread = threading.Thread(target=supervisor.run, kwargs={"on_ready": ready.set})
    thread.start()
    try:
        assert ready.wait(30)
        yield supervisor, events
    finally:
        supervisor.stop()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def redis_server(tmp_path: Path) -> RedisServer:
    return RedisServer(folder=tmp_path / "redis", port=free_port(), password=new_password())


@pytest.fixture
def s3_server(tmp_path: Path) -> S3Server:
    return new_s3_server(tmp_path / "s3")


def child_of(program: Program, tmp_path: Path) -> Child:
    return Child(program, log=tmp_path / "logs" / f"{program.name}.log")


def test_killed_servers_are_started_again_on_the_same_port_with_the_same_data(
    redis_server: RedisServer, s3_server: S3Server, tmp_path: Path
) -> None:
    servers = [child_of(redis_server, tmp_path), child_of(s3_server, tmp_path)]
    with supervised(servers) as (_, events), redis.Redis.from_url(redis_server.url) as client:
        client.set("kept", "yes")
        (s3_server.folder / "spade" / "kept.txt").write_text("yes")
        for child in servers:
            pid = child.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            wait_until(
                lambda child=child, pid=pid: child.pid != pid and child.program.is_ready(), f"{child.program.name} back"
            )
        assert client.get("kept") == b"yes"
        assert (s3_server.folder / "spade" / "kept.txt").read_text() == "yes"
        assert [event.split(";")[0] for event in events] == ["redis was ended by SIGKILL", "s3 was ended by SIGKILL"]
    assert not any(child.is_running() for child in servers)


class ImpatientRedis(RedisServer):
    """Counts as hung after a second."""

    hung_seconds = 1.0


def test_a_child_that_hangs_is_started_again_with_its_data(tmp_path: Path) -> None:
    server = ImpatientRedis(folder=tmp_path / "redis", port=free_port(), password=new_password())
    child, other = child_of(server, tmp_path), child_of(Script(folder=tmp_path, code=PATIENT), tmp_path)
    with supervised([child, other]) as (_, events), redis.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
        pid, other_pid = child.pid, other.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: child.pid != pid and server.is_ready(), "redis is back")
        assert client.get("kept") == b"yes"
        assert events == ["redis has not answered for 1 s; it is started again in 0.1 s"]
        assert (psutil.pid_exists(pid), other.pid) == (False, other_pid)


def test_secrets_are_not_in_the_argument_lists(redis_server: RedisServer, s3_server: S3Server, tmp_path: Path) -> None:
    with Child(redis_server, log=tmp_path / "redis.log") as one, Child(s3_server, log=tmp_path / "s3.log") as two:
        shown = str([psutil.Process(child.pid).cmdline() for child in (one, two)])
    assert redis_server.password not in shown
    assert s3_server.secret_key not in shown
    assert (redis_server.folder / "redis.conf").stat().st_mode & 0o777 == 0o600


def test_the_servers_answer_only_to_their_credentials(
    redis_server: RedisServer, s3_server: S3Server, tmp_path: Path
) -> None:
    with Child(redis_server, log=tmp_path / "redis.log"), Child(s3_server, log=tmp_path / "s3.log"):
        stranger = RedisServer(folder=tmp_path, port=redis_server.port, password="wrong")
        assert not stranger.is_ready()
        foreigner = S3Server(
            folder=tmp_path, port=s3_server.port, access_key=s3_server.access_key, secret_key=new_secret_key()
        )
        assert not foreigner.is_ready()


def test_redis_keeps_everything_rather_than_evicting(redis_server: RedisServer, tmp_path: Path) -> None:
    with Child(redis_server, log=tmp_path / "redis.log"), redis.Redis.from_url(redis_server.url) as client:
        settings = client.config_get("maxmemory-policy", "appendonly", "appendfsync")
    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "no"}


def test_redis_loses_nothing_that_it_acknowledged_when_it_is_killed_among_writes(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    def write(writer: int) -> int:
        """How many keys were acknowledged before the server was killed."""
        acknowledged = 0
        with redis.Redis.from_url(redis_server.url, retry=None) as client, suppress(redis.RedisError):
            while client.set(f"{writer}:{acknowledged}", "x" * 2000):
                acknowledged += 1
        return acknowledged

    with Child(redis_server, log=tmp_path / "redis.log") as child, ThreadPoolExecutor(4) as pool:
        written = [pool.submit(write, writer) for writer in range(4)]
        wait_until(lambda: number_of_keys(redis_server) > 3000, "a good many keys")
        child.kill()
        counts = [result.result() for result in written]
        child.start()
        child.wait_ready()
        with redis.Redis.from_url(redis_server.url) as client:
            for writer, count in enumerate(counts):
                assert client.exists(*(f"{writer}:{number}" for number in range(count))) == count


def number_of_keys(server: RedisServer) -> int:
    with redis.Redis.from_url(server.url) as client:
        return int(client.dbsize())


def test_a_child_that_keeps_dying_is_started_later_each_time(tmp_path: Path) -> None:
    child = child_of(Script(folder=tmp_path, code=READY + "time.sleep(0.2)"), tmp_path)
    with supervised([child]) as (_, events):
        wait_until(lambda: len(events) >= 3, "three deaths")
    assert [event.rpartition(" in ")[2] for event in events[:3]] == ["0.1 s", "0.2 s", "0.4 s"]


def test_a_child_that_cannot_be_started_again_is_tried_again_and_the_others_go_on(tmp_path: Path) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Unlucky(Script):
        """Finds no room on the disk when it is to be started again."""

        def prepare(self) -> None:
            super().prepare()
            starts.append(self.name)
            if len(starts) in (2, 3):
                raise OSError(errno.ENOSPC, "No space left on device")

    starts: list[str] = []
    good = child_of(Script(folder=tmp_path, code=PATIENT, name="good"), tmp_path)
    unlucky = child_of(Unlucky(folder=tmp_path, code=PATIENT, name="unlucky"), tmp_path)
    with supervised([good, unlucky]) as (_, events):
        pid = good.pid
        assert unlucky.pid is not None
        os.kill(unlucky.pid, signal.SIGKILL)
        wait_until(lambda: len(starts) == 4 and unlucky.program.is_ready(), "its fourth start")
        assert good.pid == pid
        assert good.is_running()
    assert ["No space left" in event for event in events] == [False, True, True]


def test_a_child_that_ends_before_it_is_ready_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    good = child_of(Script(folder=tmp_path, code=PATIENT, name="good"), tmp_path)
    bad = child_of(Script(folder=tmp_path, code="raise SystemExit('no room')", name="bad"), tmp_path)
    supervisor = Supervisor([[good], [bad]], report=lambda _: None)
    with pytest.raises(ChildFailedError, match=r"^bad ended with exit code 1 before it was ready.*no room$"):
        supervisor.run(on_ready=lambda: None)
    assert not good.is_running()


def test_a_child_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    late = child_of(Script(folder=tmp_path, code="import signal; signal.pause()", ready_seconds=0.3), tmp_path)
    with pytest.raises(ChildFailedError, match=r"script was not ready after 0.3 s"):
        Supervisor([[late]], report=lambda _: None).run(on_ready=lambda: None)
    assert not late.is_running()


def test_stages_stop_in_reverse_order(tmp_path: Path) -> None:
    note = "signal.signal(signal.SIGTERM, lambda *_: (open('order', 'a').write(NAME), sys.exit())); "
    code = "import pathlib, signal, sys; NAME = pathlib.Path(sys.argv[1]).stem + ' '; " + note + PATIENT
    stages = [[child_of(Script(folder=tmp_path, code=code, name=name), tmp_path)] for name in ("store", "worker")]
    with supervised(*stages):
        pass
    assert (tmp_path / "logs" / "order").read_text() == "worker store "


def test_a_child_that_ignores_sigterm_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    child = child_of(Script(folder=tmp_path, code=STUBBORN, grace_seconds=0.2), tmp_path)
    with supervised([child]) as (_, events):
        pass
    assert events == ["script did not stop in time and was killed"]
    assert child.exit_code() == -signal.SIGKILL


def test_asked_twice_to_stop_the_supervisor_does_not_wait_for_the_grace(tmp_path: Path) -> None:
    child = child_of(Script(folder=tmp_path, code=STUBBORN, grace_seconds=1000), tmp_path)
    with supervised([child]) as (supervisor, _):
        supervisor.stop()
        supervisor.stop()
    assert child.exit_code() == -signal.SIGKILL


def test_what_a_dead_child_left_running_in_its_group_is_ended_with_it(tmp_path: Path) -> None:
    fork = "import os, signal; pid = os.fork(); pid and open('grandchild', 'w').write(str(pid)); "
    child = child_of(Script(folder=tmp_path, code=fork + PATIENT), tmp_path)
    with supervised([child]) as (_, events):
        wait_until(lambda: (tmp_path / "logs" / "grandchild").exists(), "the grandchild")
        grandchild = psutil.Process(int((tmp_path / "logs" / "grandchild").read_text()))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        wait_until(lambda: is_gone(grandchild), "it is gone")
        assert events


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a process when its parent dies")
def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, threading; from pathlib import Path; from deploy.local.child import Child; "
        "from deploy.local.servers import RedisServer; from deploy.local.ports import free_port; "
        "folder = Path(sys.argv[1]); "
        "child = Child(RedisServer(folder=folder / 'redis', port=free_port(), password='x'), log=folder / 'log'); "
        "child.start(); child.wait_ready(); print(child.pid, flush=True); threading.Event().wait()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        assert server.is_running()
        parent.kill()
        wait_until(lambda: is_gone(server), "redis died with its parent")


def test_a_long_log_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    child = child_of(Script(folder=tmp_path, code=PATIENT), tmp_path)
    child.log.parent.mkdir()
    child.log.write_bytes(b"x" * (16 * 2**20 + 1))
    with child:
        assert child.log.stat().st_size == 0
    assert child.log.with_suffix(".1.log").stat().st_size == 16 * 2**20 + 1
