"""Manifests of `k8s/`, as `kubectl apply -k` and `spade-serve k8s train` render them, and faults to plant in them."""

import copy
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.cluster.rendering import render as render_run
from deploy.cluster.run_plan import Kind, RunPlan

Manifest = dict[str, Any]
Policy = Callable[[list[Manifest]], Iterable[str]]
"""Says what is wrong, a sentence for each fault."""

ROOT: Final = Path(__file__).parents[2]
K8S: Final = ROOT / "k8s"
REMOVED: Final = object()
"""To plant in place of a value: there is none."""
_ADDED: Final = {
    "production-torchserve": ("production", "torchserve"),
    "dev-torchserve": ("dev", "torchserve-cpu"),
}
"""Overlays with a component that no overlay has by itself."""
DATASET_CLAIM: Final = "coco"
"""A volume claim that whoever starts a run has made before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Options of a run that bring components with them, and the file of what they need on the cluster beside it."""

    options: dict[str, Any]
    beside: str | None = None

    def rendered(self) -> str:
        plan = {"name": "run1", "config": K8S / "overlays" / "training-multi" / "run.toml", "namespace": "spade"}
        manifests = render_run(RunPlan(**{**plan, "kind": Kind.MULTI, **self.options}))
        return manifests if self.beside is None else f"{manifests}---\n{(K8S / 'components' / self.beside).read_text()}"


_QUEUES: Final = "kueue/queues.yaml"
_RUNS: Final = {
    "run-rdma": _Run(options={"rdma": True, "namespace": "spade-rdma"}, beside="rdma/namespace.yaml"),
    "run-queued": _Run(options={"queue": True}, beside=_QUEUES),
    "run-queued-jobset": _Run(options={"queue": True, "kind": Kind.JOBSET}, beside=_QUEUES),
    "run-queued-trainer": _Run(options={"queue": True, "kind": Kind.TRAINER}, beside=_QUEUES),
    "run-results-s3": _Run(options={"checkpoints": "s3://spade/runs/run1"}),
    "run-data-claim": _Run(options={"data": f"claim:{DATASET_CLAIM}"}),
}


def overlay_names() -> list[str]:
    """All that is to be checked."""
    return [*sorted(path.parent.name for path in K8S.glob("overlays/*/kustomization.yaml")), *_ADDED, *_RUNS]


def render(overlay: str) -> list[Manifest]:
    """What an overlay applies; a copy of the reader's own. Skips the test where there is no kubectl."""
    return copy.deepcopy(_rendered(overlay))


def rendered_text(overlay: str) -> str:
    """The same as YAML."""
    if shutil.which("kubectl") is None:
        pytest.skip("there is no kubectl on PATH, on Debian in the package kubernetes-client")
    if overlay in _RUNS:
        return _RUNS[overlay].rendered()
    if overlay not in _ADDED:
        return _kustomize(K8S / "overlays" / overlay)
    base, component = _ADDED[overlay]
    with tempfile.TemporaryDirectory() as folder:
        parts = {
            "resources": [os.path.relpath(K8S / "overlays" / base, Path(folder).resolve())],
            "components": [os.path.relpath(K8S / "components" / component, Path(folder).resolve())],
            "images": yaml.safe_load((K8S / "overlays" / base / "kustomization.yaml").read_text()).get("images", []),
        }
        (Path(folder) / "kustomization.yaml").write_text(json.dumps(parts))
        return _kustomize(Path(folder))


def planted(manifests: list[Manifest], where: str, path: str, value: object) -> list[Manifest]:
    """The same with a value changed, added or REMOVED: in the manifest KIND/NAME at a path like /spec/ports/0/port.

    A `~1` in the path is a slash in a name, as in a JSON pointer.
    """
    changed = copy.deepcopy(manifests)
    node: Any = find(changed, where)
    *steps, last = [step.replace("~1", "/") for step in path.removeprefix("/").split("/")]
    for step in steps:
        node = node[int(step)] if isinstance(node, list) else node.setdefault(step, {})
    if isinstance(node, list):
        node[int(last)] = value
    elif value is REMOVED:
        del node[last]
    else:
        node[last] = value
    return changed


def find(manifests: list[Manifest], where: str) -> Manifest:
    """The one manifest KIND/NAME; a NAME of a ConfigMap or Secret may lack the digest at its end."""
    found = [manifest for manifest in manifests if title(manifest) == where or title(manifest).startswith(f"{where}-")]
    exact = [manifest for manifest in found if title(manifest) == where]
    return (exact or found)[0]


def title(manifest: Manifest) -> str:
    """KIND/NAME."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A template of pods, in whatever kind of workload it is."""

    owner: Manifest
    template: Manifest

    @property
    def name(self) -> str:
        return title(self.owner)

    @property
    def labels(self) -> dict[str, str]:
        """Those that its pods have; the controller of a Job adds some."""
        labels = self.template.get("metadata", {}).get("labels", {})
        if self.owner["kind"] == "Job":
            return {**labels, "batch.kubernetes.io/job-name": self.owner["metadata"]["name"]}
        return labels

    @property
    def spec(self) -> Manifest:
        return self.template["spec"]

    @property
    def main_containers(self) -> list[Manifest]:
        return self.spec["containers"]

    @property
    def containers(self) -> list[Manifest]:
        """Those that only initialise, and those beside, too."""
        return [*self.spec.get("initContainers", []), *self.main_containers]

    @property
    def ports(self) -> dict[str | int, int]:
        """Numbers of ports by name and by number."""
        ports = [port for container in self.containers for port in container.get("ports", [])]
        by_name = {port["name"]: port["containerPort"] for port in ports if "name" in port}
        return {**by_name, **{port["containerPort"]: port["containerPort"] for port in ports}}


def pods(manifests: list[Manifest]) -> list[Pod]:
    """All templates of pods, also those within a JobSet or a runtime of training; what merely patches one is none."""
    return [
        Pod(owner=manifest, template=node)
        for manifest in manifests
        if manifest["kind"] != "TrainJob"
        for _, node in walk(manifest)
        if isinstance(node, dict) and isinstance(node.get("spec"), dict) and "containers" in node["spec"]
    ]


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """All that say which image they run, the trainer of a TrainJob too, with where they are."""
    for manifest in manifests:
        for path, node in walk(manifest):
            if isinstance(node, dict) and isinstance(node.get("image"), str):
                yield f"{title(manifest)}, {path[-1]} {node.get('name', '')}".strip(), node


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """The manifests of some kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def walk(node: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every value below a node and itself, with the names that lead to it; elements of a list have its name."""
    yield path, node
    if isinstance(node, dict):
        for name, value in node.items():
            yield from walk(value, (*path, name))
    elif isinstance(node, list):
        for value in node:
            yield from walk(value, path)


def selects(selector: Manifest | None, labels: dict[str, str]) -> bool:
    """Whether a label selector takes what has these labels; an empty one takes everything, none nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(_meets(labels, term) for term in selector.get("matchExpressions", []))


def _meets(labels: dict[str, str], term: Manifest) -> bool:
    value = labels.get(term["key"])
    match term["operator"]:
        case "In":
            return value in term["values"]
        case "NotIn":
            return value not in term["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(f"{term['operator']!r} is no operator of label selectors")


@cache
def _rendered(overlay: str) -> list[Manifest]:
    return list(yaml.safe_load_all(rendered_text(overlay)))


def _kustomize(folder: Path) -> str:
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # of deprecated fields
    return done.stdout
