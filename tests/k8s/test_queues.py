"""Runs that wait in a queue of Kueue wait for something that can come."""

from collections.abc import Iterator

import pytest

from support.manifests import Manifest, of_kind, planted, pods, render, selects, title

LABEL = "kueue.x-k8s.io/queue-name"


def endless_queues(manifests: list[Manifest]) -> Iterator[str]:
    """Runs that Kueue would never admit."""
    by_title = {title(manifest): manifest for manifest in manifests}
    for run in manifests:
        queue = run["metadata"].get("labels", {}).get(LABEL)
        if queue is None:
            continue
        local = by_title.get(f"LocalQueue/{queue}")
        if local is None or local["metadata"]["namespace"] != run["metadata"]["namespace"]:
            yield f"{title(run)}: its namespace has no LocalQueue {queue}"
        elif (cluster := by_title.get(f"ClusterQueue/{local['spec']['clusterQueue']}")) is None:
            yield f"{title(local)}: there is no ClusterQueue {local['spec']['clusterQueue']}"
        else:
            yield from _never_admitted(manifests, run, cluster)


def _never_admitted(manifests: list[Manifest], run: Manifest, queue: Manifest) -> Iterator[str]:
    namespace = run["metadata"]["namespace"]
    if not selects(queue["spec"].get("namespaceSelector"), {"kubernetes.io/metadata.name": namespace}):
        yield f"{title(queue)}: it admits nothing of {namespace}"
    groups = queue["spec"]["resourceGroups"]
    covered = {resource for group in groups for resource in group["coveredResources"]}
    wanted = {name for pod in pods(manifests) for one in pod.containers for name in one["resources"]["requests"]}
    for resource in sorted(wanted - covered):
        yield f"{title(queue)}: it covers no {resource}, which {title(run)} requests"
    for flavor in (flavor for group in groups for flavor in group["flavors"]):
        if f"ResourceFlavor/{flavor['name']}" not in map(title, of_kind(manifests, "ResourceFlavor")):
            yield f"{title(queue)}: there is no ResourceFlavor {flavor['name']}"


def test_a_run_in_a_queue_can_be_admitted(manifests: list[Manifest]) -> None:
    assert list(endless_queues(manifests)) == []


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        ("LocalQueue/spade-train", "/metadata/name", "other", "Job/run1: its namespace has no LocalQueue spade-train"),
        ("LocalQueue/spade-train", "/metadata/namespace", "mine", "its namespace has no LocalQueue spade-train"),
        ("LocalQueue/spade-train", "/spec/clusterQueue", "other", "there is no ClusterQueue other"),
        ("ClusterQueue/spade-train", "/spec/namespaceSelector", {"matchLabels": {"a": "b"}}, "admits nothing of spade"),
        ("ClusterQueue/spade-train", "/spec/resourceGroups/0/coveredResources/2", "pods", "no ephemeral-storage"),
        ("ResourceFlavor/spade-train", "/metadata/name", "other", "there is no ResourceFlavor spade-train"),
    ],
)
def test_an_endless_queue_is_noticed(where: str, path: str, value: object, said: str) -> None:
    faults = list(endless_queues(planted(render("run-queued"), where, path, value)))
    assert len(faults) == 1
    assert said in faults[0]
