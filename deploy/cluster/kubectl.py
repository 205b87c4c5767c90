"""kubectl as a child process."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.cluster.errors import ClusterError
from deploy.errors import MissingProgramError

_UNREACHABLE = ("Unable to connect to the server", "was refused", "dial tcp")
"""In what kubectl says of a cluster that it cannot reach."""


def find_kubectl() -> str:
    """Raises MissingProgramError."""
    found = shutil.which("kubectl")
    if found is None:
        raise MissingProgramError(
            "there is no kubectl on PATH; install it, on Debian with `apt-get install kubernetes-client`"
        )
    return found


def kustomize(folder: Path) -> str:
    """The manifests that a folder's kustomization describes. Raises ClusterError: where kubectl refuses it."""
    return _run(["kustomize", str(folder)])


class Cluster:
    """What kubectl's current context leads to; objects of one namespace."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def apply(self, manifests: str) -> str:
        """Returns what was done, a line for each object. Raises ClusterError."""
        return _run(["apply", "-f", "-"], given=manifests)

    def objects(self, kind: str, labels: str) -> list[dict[str, Any]]:
        """Those of a kind whose labels are as `labels` selects. Raises ClusterError."""
        answer = json.loads(self._run("get", kind, "--selector", labels, "--output", "json"))
        return list(answer["items"])

    def delete(self, kinds: Sequence[str], labels: str) -> str:
        """Deletes those, and waits until they and all that belongs to them are gone. Raises ClusterError."""
        return self._run("delete", ",".join(kinds), "--selector", labels, "--ignore-not-found", "--cascade=foreground")

    def show_logs(self, pod: str, *, follow: bool) -> None:
        """Passes a pod's output on to ours. Raises ClusterError: where that fails; kubectl has told why."""
        command = [find_kubectl(), "--namespace", self._namespace, "logs", pod, *(["--follow"] if follow else [])]
        if subprocess.run(command, check=False).returncode:
            raise ClusterError(f"the output of pod {pod} cannot be read")

    def _run(self, *arguments: str) -> str:
        return _run(["--namespace", self._namespace, *arguments])


def _run(arguments: Sequence[str], *, given: str | None = None) -> str:
    done = subprocess.run(
        [find_kubectl(), *arguments], input=given, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    if any(sign in done.stderr for sign in _UNREACHABLE):
        raise ClusterError(
            f"the cluster cannot be reached: {said[-1]}; `kubectl config current-context` names the one that was asked"
        )
    raise ClusterError(f"kubectl: {'; '.join(said)}")
