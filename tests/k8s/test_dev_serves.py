"""The containers of the overlay for development, as processes of this machine: their commands, variables and probes.

Only what a cluster gives differs: folders for volumes, ports of this machine for the Services' names.
"""

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from api.client import SpadeClient
from api.parameters import JobParameters
from deploy.local.ports import free_port
from deploy.local.programs import find_rclone, find_redis_server
from support.manifests import ROOT, Manifest, Pod, pods, render
from support.network import variables
from support.programs import SPADE_SERVE
from support.waiting import wait_until

PORTS = ("6379", "8080", "9000", "9100", "9108")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Runs containers in `folder`; `ports` has the machine's ports for those in the manifests."""

    folder: Path
    ports: dict[str, int]
    manifests: list[Manifest]

    def command(self, pod: Pod, words: list[str], told: dict[str, str]) -> list[str]:
        """Where a container listens, on this machine only."""
        program, *arguments = [self._here(pod, word) for word in words]
        for name, value in told.items():
            arguments = [word.replace(f"$({name})", value) for word in arguments]
        programs = {
            "python": [sys.executable],
            "rclone": [str(find_rclone())],
            "spade-serve": [str(SPADE_SERVE)],
            "valkey-server": [str(find_redis_server()), "--bind", "127.0.0.1", "--port", str(self.ports["6379"])],
        }
        return [*programs[program], *arguments]

    def told(self, pod: Pod, container: Manifest) -> dict[str, str]:
        """Its variables."""
        told = {name: self._here(pod, value) for name, value in variables(self.manifests, container).items()}
        return {name: _expanded(value, told) for name, value in told.items()}

    def start(self, pod: Pod, container: Manifest) -> "subprocess.Popen[bytes]":
        told = self.told(pod, container)
        own = {name: value for name, value in os.environ.items() if not name.startswith("SPADE_")}
        with (self.folder / f"{pod.owner['metadata']['name']}-{container['name']}.log").open("wb") as log:
            command = self.command(pod, container["command"], told)
            return subprocess.Popen(command, env={**own, **told}, stdout=log, stderr=log)

    def is_ready(self, pod: Pod, container: Manifest) -> bool:
        """What the kubelet asks."""
        probe = container["readinessProbe"]
        if "exec" in probe:
            command = self.command(pod, probe["exec"]["command"], {})
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        if "tcpSocket" in probe:
            return True  # asked too early it fails, and whoever needs it asks again
        port = self.ports[str(pod.ports[probe["httpGet"]["port"]])]
        try:
            return httpx.get(f"http://127.0.0.1:{port}{probe['httpGet']['path']}", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def _here(self, pod: Pod, text: str) -> str:
        for host in ("spade-redis:", "spade-s3:"):
            text = text.replace(host, "127.0.0.1:")
        for port in PORTS:
            text = text.replace(f":{port}", f":{self.ports[port]}") if ":" in text else text
            text = str(self.ports[port]) if text == port else text
        text = f"127.0.0.1{text}" if text.startswith(":") else text.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        for volume in ("/data", "/models", "/tmp"):  # noqa: S108
            if text == volume or text.startswith(f"{volume}/"):
                folder = self.folder / pod.owner["metadata"]["name"]
                (folder / volume[1:]).mkdir(parents=True, exist_ok=True)
                return f"{folder}{text}"
        return text


def _expanded(value: str, told: dict[str, str]) -> str:
    for name, other in told.items():
        value = value.replace(f"$({name})", other)
    return value


@contextmanager
def running(machine: Machine) -> Iterator[dict[str, "subprocess.Popen[bytes]"]]:
    """Stateful sets first; ready. At the end each is told to stop, and does in order."""
    with ExitStack() as stack:
        processes = {}
        for pod in sorted(pods(machine.manifests), key=lambda pod: pod.owner["kind"], reverse=True):
            for container in pod.containers:
                process = stack.enter_context(machine.start(pod, container))
                stack.callback(process.kill)
                beside = container.get("restartPolicy") == "Always" or container in pod.main_containers
                if not beside:
                    assert process.wait(120) == 0, container["name"]
                    continue
                processes[f"{pod.name}/{container['name']}"] = process
        for pod in pods(machine.manifests):
            for container in pod.main_containers:
                wait_until(
                    lambda pod=pod, container=container: machine.is_ready(pod, container), f"{pod.name} is ready"
                )
        yield processes


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(folder=tmp_path, ports={port: free_port() for port in PORTS}, manifests=render("dev"))


def test_a_job_is_served_and_everything_ends_in_order(machine: Machine, tmp_path: Path) -> None:
    with running(machine) as processes:
        with SpadeClient(f"http://127.0.0.1:{machine.ports['8080']}") as client:
            job = client.submit([ROOT / "deploy" / "examples" / "lake.png"], JobParameters(model="landscape", seed=7))
            assert client.follow(job.id).state == "succeeded"
            client.archive(job.id, tmp_path / "pictures.zip")
        assert any(name.endswith(".png") for name in zipfile.ZipFile(tmp_path / "pictures.zip").namelist())
        for name in reversed(processes):
            processes[name].send_signal(signal.SIGTERM)
            code = processes[name].wait(60)
            assert code == 0 or name.startswith("StatefulSet/"), name
