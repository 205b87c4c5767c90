"""A stand-in for the Job controller: it starts the pods of an Indexed Job and replaces those that fail.

It does so at once, whenever it is asked to look; the real one waits 10 s and more after a failure.
"""

import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from support.cluster.manifest import JobManifest, PodFacts
from support.cluster.names import Names
from support.cluster.network import Network
from support.cluster.pod import Mount, Pod
from support.waiting import wait_until

_ROOT = Path(__file__).parents[3]
_IMAGE: Final[Mapping[str, str]] = {
    "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "PYTHONPATH": str(_ROOT),
    "PYTHONUNBUFFERED": "1",
}
"""The environment that an image would have: this checkout, with the packages that the tests run with."""


class RunningJob:
    """A Job and its pods, each a host of its own with an address that no pod had before. They end with the block."""

    def __init__(self, manifest: JobManifest, folder: Path, *, uid: str, secrets: Mapping[str, str]) -> None:
        self.manifest = manifest
        self.shared = folder / "claims"
        self.failed_with: int | None = None
        self.counted_failures = 0
        self._folder = folder
        folder.mkdir(parents=True)
        self._names = Names(folder / "hosts")
        self._labels = {
            "batch.kubernetes.io/job-name": manifest.name,
            "batch.kubernetes.io/controller-uid": uid,
        }
        self._secrets = secrets
        self._network = Network()
        self._pods: dict[int, Pod] = {}
        self._disrupted: set[Pod] = set()
        self._succeeded: set[int] = set()
        self.started: list[Pod] = []
        """All pods so far, in the order of their start."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for pod in self.started:
            pod.close()
        self._network.__exit__(kind, error, traceback)

    @property
    def is_complete(self) -> bool:
        return len(self._succeeded) == self.manifest.pods

    def kill(self, index: int) -> None:
        """SIGKILL to all processes of a pod, as when its machine's memory is full."""
        self._pods[index].send(signal.SIGKILL)

    def drain(self, *indexes: int) -> list[Pod]:
        """SIGTERM to the first process of pods that are to go elsewhere; the pods."""
        pods = [self._pods[index] for index in indexes]
        for pod in pods:
            self._disrupted.add(pod)
            pod.send(signal.SIGTERM)
        return pods

    def wait_until(self, holds: Callable[[], object], what: str, *, seconds: float = 180.0) -> None:
        """As the function of this name, and meanwhile does what the controller does; no longer once the Job failed."""
        try:
            wait_until(lambda: self._look() or holds() or self.failed_with is not None, what, seconds=seconds)
            assert holds(), f"{what}: not before the Job failed, for a pod ended with {self.failed_with}"
        except BaseException:
            for pod in self.started:
                sys.stdout.write(f"--- {pod.log}, ended with {pod.exit_code()}\n{pod.output()}\n")
            raise

    def _look(self) -> None:
        for index in range(self.manifest.pods):
            pod = self._pods.get(index)
            code = None if pod is None else pod.exit_code()
            if pod is None:
                self._start(index)
            elif code == 0:
                self._succeeded.add(index)
            elif code is not None and self.failed_with is None:
                self._answer_failure(index, pod, code)

    def _answer_failure(self, index: int, pod: Pod, code: int) -> None:
        pod.close()
        action = self.manifest.action(code, disrupted=pod in self._disrupted)
        self.counted_failures += action == "Count"
        if action == "FailJob" or self.counted_failures > self.manifest.spec["backoffLimit"]:
            self.failed_with = code
        else:
            self._start(index)

    def _start(self, index: int) -> None:
        manifest, number = self.manifest, len(self.started)
        name, folder = f"{manifest.name}-{index}", self._folder / f"pod-{number}"
        namespace, address = self._network.connect()
        self._names.give(address, name, f"{name}.{manifest.pod_spec['subdomain']}")
        facts = PodFacts(index=index, address=address, labels=self._labels, secrets=self._secrets)
        pod = Pod(
            name,
            manifest.command,
            environment={**_IMAGE, **manifest.environment(facts)},
            mounts=[
                *manifest.mounts(of_pod=folder, shared=self.shared),
                Mount(source=self._names.path, target="/etc/hosts", read_only=True),
                *(Mount(source=path, target=str(path), read_only=True) for path in (_ROOT, Path(sys.prefix))),
            ],
            namespace=namespace,
            folder=folder,
        )
        self.started.append(pod)
        self._pods[index] = pod
