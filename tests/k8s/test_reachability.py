"""Network policies deny by default, and let every client reach its server."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest

from support.manifests import REMOVED, Manifest, Pod, find, of_kind, planted, pods, render, selects, title
from support.network import OUTSIDE, Peer, blocked, server_at, variables

OF_REDIS: Final = 6379
SERVERS: Final = ("Deployment", "StatefulSet")
PRIVATE_PORT: Final = 43210
"""One that processes of a training run choose among themselves."""
_ELSEWHERE: Final = {"SPADE_REDIS_URL": f"redis://elsewhere:{OF_REDIS}", "SPADE_S3_ENDPOINT": "elsewhere:443"}
"""What the Secret may say, where it is the cluster's own."""


def unreachable(manifests: list[Manifest]) -> Iterator[str]:
    dns = Peer(name="the cluster's DNS", namespace="kube-system")
    for pod in pods(manifests):
        client = Peer.of(pod)
        for protocol in ("TCP", "UDP"):
            yield from blocked(manifests, client, dns, 53, protocol)
        for host, port in sorted(called_by(manifests, pod)):
            yield from blocked(manifests, client, server_at(manifests, host), port)
        if "subdomain" in pod.spec:
            yield from blocked(manifests, client, client, PRIVATE_PORT)
        if pod.labels.get("app.kubernetes.io/name") == "spade-api":
            ingress = Peer(name="an ingress", namespace="ingress")
            yield from blocked(manifests, ingress, client, pod.ports["http"])
    yield from _unreachable_metrics(manifests)


def called_by(manifests: list[Manifest], pod: Pod) -> Iterator[tuple[str, int]]:
    """Hosts and ports that the programs of a pod call."""
    for container in pod.containers:
        told = {**_ELSEWHERE, **variables(manifests, container)}
        is_told = str(container.get("envFrom")) + str(container.get("env"))
        if "secretRef" in is_told or "SPADE_REDIS_URL" in is_told:
            url = urlsplit(told["SPADE_REDIS_URL"] or _ELSEWHERE["SPADE_REDIS_URL"])
            yield url.hostname or "", url.port or OF_REDIS
        if "secretRef" in is_told or "SPADE_S3_ENDPOINT" in is_told:
            host, _, port = (told["SPADE_S3_ENDPOINT"] or _ELSEWHERE["SPADE_S3_ENDPOINT"]).partition(":")
            yield host, int(port)
        if "api" in container.get("command", []) and (prometheus := told.get("SPADE_PROMETHEUS_URL")):
            url = urlsplit(prometheus)
            yield url.hostname or "", url.port or 80


def _unreachable_metrics(manifests: list[Manifest]) -> Iterator[str]:
    prometheus = Peer(name="Prometheus", namespace="monitoring")
    for monitor in of_kind(manifests, "PodMonitor", "ServiceMonitor"):
        endpoints = monitor["spec"].get("podMetricsEndpoints") or monitor["spec"]["endpoints"]
        for pod in pods(manifests):
            if selects(monitor["spec"]["selector"], pod.labels):
                for endpoint in endpoints:
                    yield from blocked(manifests, prometheus, Peer.of(pod), pod.ports[endpoint["port"]])


def unwatched_runs(manifests: list[Manifest]) -> Iterator[str]:
    """Runs that Prometheus, as production sets it up, does not look for or does not reach."""
    monitor = find(render("production"), "PodMonitor/spade-training")
    for pod in pods(manifests):
        namespace = pod.owner["metadata"]["namespace"]
        if pod.owner["kind"] not in SERVERS and namespace not in monitor["spec"]["namespaceSelector"]["matchNames"]:
            yield f"{pod.name}: Prometheus does not look into {namespace}"
    yield from _unreachable_metrics([monitor, *manifests])


def open_pods(manifests: list[Manifest]) -> Iterator[str]:
    """Pods that anybody can call, but for the API, which asks for keys."""
    stranger = Peer(name="a stranger", labels={}, namespace="strangers")
    anybody = Peer(name="anybody outside", namespace=OUTSIDE)
    for pod in pods(manifests):
        if pod.labels.get("app.kubernetes.io/name") != "spade-api":
            for caller in (stranger, anybody):
                for port in sorted({*pod.ports.values(), PRIVATE_PORT}):
                    if not list(blocked(manifests, caller, Peer.of(pod), port)):
                        yield f"{pod.name}: {caller.name} may call it at port {port}"


def free_pods(manifests: list[Manifest]) -> Iterator[str]:
    """Pods that can call anybody at any port."""
    anybody = Peer(name="anybody outside", namespace=OUTSIDE)
    for pod in pods(manifests):
        if not list(blocked(manifests, Peer.of(pod), anybody, PRIVATE_PORT)):
            yield f"{pod.name}: it may call anybody"


def test_every_client_reaches_its_servers(manifests: list[Manifest]) -> None:
    assert list(unreachable(manifests)) == []


def test_prometheus_reaches_runs(manifests: list[Manifest]) -> None:
    assert list(unwatched_runs(manifests)) == []


def test_nobody_else_reaches_them(manifests: list[Manifest]) -> None:
    assert list(open_pods(manifests)) == []


def test_they_call_nobody_else(manifests: list[Manifest]) -> None:
    assert list(free_pods(manifests)) == []


def test_what_the_programs_call_is_known() -> None:
    """Lest the policy above holds because it asks nothing."""
    asked = {pod.name: set(called_by(manifests, pod)) for manifests in (render("dev"),) for pod in pods(manifests)}
    assert asked == {
        "Deployment/spade-api": {("spade-redis", 6379), ("spade-s3", 9000)},
        "Deployment/spade-worker": {("spade-redis", 6379), ("spade-s3", 9000)},
        "Deployment/spade-exporter": {("spade-redis", 6379)},
        "StatefulSet/spade-redis": set(),
        "StatefulSet/spade-s3": set(),
    }


@pytest.mark.parametrize(
    ("overlay", "where", "path", "value", "said"),
    [
        ("dev", "NetworkPolicy/spade-redis", "/spec/ingress/0/from/0/podSelector/matchExpressions/0/values/2", "x",
         "StatefulSet/spade-redis: at port 6379 it may not be called by Deployment/spade-exporter"),
        ("dev", "NetworkPolicy/spade-stores", "/spec/egress/1/ports/0/port", 9001,
         "Deployment/spade-worker: it may not call StatefulSet/spade-s3 at port 9000"),
        ("dev", "NetworkPolicy/spade-dns", "/spec/egress/0/ports/0/protocol", "TCP",
         "StatefulSet/spade-redis: it may not call the cluster's DNS at port 53"),
        ("dev", "NetworkPolicy/spade-api", "/spec/ingress/0/from", [{"podSelector": {}}],
         "Deployment/spade-api: at port 8080 it may not be called by an ingress"),
        ("production", "NetworkPolicy/spade-stores", "/spec/egress/0/ports/1/port", 80,
         "Deployment/spade-api: it may not call elsewhere at port 443"),
        ("production", "NetworkPolicy/spade-exporter", "/spec/egress/0/ports/0/port", 6380,
         "Deployment/spade-exporter: it may not call elsewhere at port 6379"),
        ("production", "NetworkPolicy/spade-charts", "/spec/egress", [],
         "Deployment/spade-api: it may not call prometheus-operated.monitoring.svc at port 9090"),
        ("production", "NetworkPolicy/spade-metrics", "/spec/ingress/0/from/0", {"podSelector": {}},
         "Deployment/spade-worker: at port 9100 it may not be called by Prometheus"),
    ],
)  # fmt: skip
def test_a_blocked_way_is_noticed(overlay: str, where: str, path: str, value: object, said: str) -> None:
    assert said in list(unreachable(planted(render(overlay), where, path, value)))


@pytest.mark.parametrize(("path", "value"), [("/spec/ingress/0/from", REMOVED), ("/spec/policyTypes", ["Egress"])])
def test_an_open_pod_is_noticed(path: str, value: object) -> None:
    changed = planted(render("dev"), "NetworkPolicy/spade-redis", path, value)
    changed = [one for one in changed if title(one) != "NetworkPolicy/spade-default-deny"]
    assert "StatefulSet/spade-redis: anybody outside may call it at port 6379" in list(open_pods(changed))


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        ("Job/spade-train", "/metadata/namespace", "mine", "Prometheus does not look into mine"),
        ("NetworkPolicy/spade-train", "/spec/ingress/1/from/0", {"podSelector": {}},
         "at port 9109 it may not be called by Prometheus"),
    ],
)  # fmt: skip
def test_an_unwatched_run_is_noticed(where: str, path: str, value: object, said: str) -> None:
    changed = planted(render("training-multi"), where, path, value)
    assert list(unwatched_runs(changed)) == [f"Job/spade-train: {said}"]


def test_a_run_whose_metrics_anybody_may_read_is_noticed() -> None:
    changed = planted(render("training-multi"), "NetworkPolicy/spade-train", "/spec/ingress/1/from", REMOVED)
    assert "Job/spade-train: anybody outside may call it at port 9109" in list(open_pods(changed))


def test_a_free_pod_is_noticed() -> None:
    changed = planted(render("production"), "NetworkPolicy/spade-stores", "/spec/egress/0/ports", REMOVED)
    assert list(free_pods(changed)) == [f"Deployment/spade-{name}: it may call anybody" for name in ("api", "worker")]
