"""Selectors find what they are meant for."""

from collections.abc import Iterator

import pytest

from support.manifests import Manifest, of_kind, planted, pods, render, selects, title, walk


def lost_selectors(manifests: list[Manifest]) -> Iterator[str]:
    yield from _of_workloads(manifests)
    every_pod = [pod.labels for pod in pods(manifests)]
    for service in of_kind(manifests, "Service"):
        selector = service["spec"].get("selector")
        if selector and not _made_for(manifests, service) and not _found({"matchLabels": selector}, every_pod):
            yield f"{title(service)}: it selects no pod"
    for policy in of_kind(manifests, "NetworkPolicy"):
        if not _found(policy["spec"]["podSelector"], every_pod):
            yield f"{title(policy)}: it selects no pod"
        for path, peer in walk(policy["spec"]):
            local = isinstance(peer, dict) and "podSelector" in peer and "namespaceSelector" not in peer
            if local and path[-1:] in (("from",), ("to",)) and not _found(peer["podSelector"], every_pod):
                yield f"{title(policy)}: no pod is the other side, {peer['podSelector']}"
    of_runs = [pod.labels for pod in pods(render("training-multi"))]  # applied later, and monitored too
    for kind, labelled in (
        ("PodDisruptionBudget", every_pod),
        ("PodMonitor", [*every_pod, *of_runs]),
        ("ServiceMonitor", [service["metadata"].get("labels", {}) for service in of_kind(manifests, "Service")]),
    ):
        for selecting in of_kind(manifests, kind):
            if not _found(selecting["spec"]["selector"], labelled):
                yield f"{title(selecting)}: it selects nothing"


def _of_workloads(manifests: list[Manifest]) -> Iterator[str]:
    for pod in pods(manifests):
        selector = pod.owner["spec"].get("selector")
        if pod.owner["kind"] in ("Deployment", "StatefulSet") and not selects(selector, pod.labels):
            yield f"{pod.name}: its selector is not its pods' labels"
        terms = [node for path, node in walk(pod.spec) if path[-1:] == ("labelSelector",)]
        for term in terms:
            if isinstance(term, dict) and not selects(term, pod.labels):
                yield f"{pod.name}: it is placed by the labels of others, {term}"


def _found(selector: Manifest, labelled: list[dict[str, str]]) -> bool:
    return any(selects(selector, labels) for labels in labelled)


def _made_for(manifests: list[Manifest], service: Manifest) -> bool:
    """Whether its pods are made by a controller, of a JobSet or TrainJob, whose labels no manifest shows."""
    return bool(of_kind(manifests, "JobSet", "TrainJob")) and service["spec"].get("clusterIP") == "None"


def test_every_selector_finds_something(manifests: list[Manifest]) -> None:
    assert list(lost_selectors(manifests)) == []


OTHER = {"app.kubernetes.io/name": "other"}


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        ("Deployment/spade-worker", "/spec/selector/matchLabels", OTHER, "its selector is not its pods' labels"),
        (
            *("Deployment/spade-api", "/spec/template/spec/topologySpreadConstraints/0/labelSelector/matchLabels"),
            *(OTHER, "placed by the labels of others"),
        ),
        ("Service/spade-api", "/spec/selector", OTHER, "it selects no pod"),
        ("NetworkPolicy/spade-redis", "/spec/podSelector/matchLabels", OTHER, "it selects no pod"),
        (
            *("NetworkPolicy/spade-redis", "/spec/ingress/0/from/0/podSelector", {"matchLabels": OTHER}),
            "no pod is the other side",
        ),
        ("PodDisruptionBudget/spade-worker", "/spec/selector/matchLabels", OTHER, "it selects nothing"),
    ],
)
def test_a_lost_selector_is_noticed(where: str, path: str, value: object, said: str) -> None:
    assert [fault for fault in lost_selectors(planted(render("dev"), where, path, value)) if said in fault]


@pytest.mark.parametrize("where", ["PodMonitor/spade-worker", "PodMonitor/spade-training", "ServiceMonitor/spade-api"])
def test_a_monitor_that_finds_nothing_is_noticed(where: str) -> None:
    changed = planted(render("production"), where, "/spec/selector/matchLabels", OTHER)
    assert list(lost_selectors(changed)) == [f"{where}: it selects nothing"]
