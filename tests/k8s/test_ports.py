"""Services, probes, monitors and network policies name ports that a program listens on."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from support.manifests import REMOVED, Manifest, Pod, of_kind, planted, pods, render, selects, title

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
VARIABLE = "SPADE_WORKER_PORT"


def lost_ports(manifests: list[Manifest]) -> Iterator[str]:
    every_pod = pods(manifests)
    for pod in every_pod:
        yield from _of_probes(pod)
        yield from _of_programs(pod)
    for service in of_kind(manifests, "Service"):
        selected = [
            pod for pod in every_pod if selects({"matchLabels": service["spec"].get("selector", {})}, pod.labels)
        ]
        for port in service["spec"].get("ports", []):
            yield from _absent(service, port.get("targetPort", port["port"]), selected)
    for policy in of_kind(manifests, "NetworkPolicy"):
        selected = [pod for pod in every_pod if selects(policy["spec"]["podSelector"], pod.labels)]
        for rule in policy["spec"].get("ingress", []):
            for port in rule.get("ports", []):
                yield from _absent(policy, port["port"], selected)
    yield from _of_monitors(manifests, every_pod)


def _of_monitors(manifests: list[Manifest], every_pod: list[Pod]) -> Iterator[str]:
    for monitor in of_kind(manifests, "PodMonitor"):
        selected = [pod for pod in every_pod if selects(monitor["spec"]["selector"], pod.labels)]
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            yield from _absent(monitor, endpoint["port"], selected)
    for monitor in of_kind(manifests, "ServiceMonitor"):
        for service in of_kind(manifests, "Service"):
            if selects(monitor["spec"]["selector"], service["metadata"].get("labels", {})):
                names = {port.get("name") for port in service["spec"]["ports"]}
                for endpoint in monitor["spec"]["endpoints"]:
                    if endpoint["port"] not in names:
                        yield f"{title(monitor)}: {title(service)} has no port {endpoint['port']}"


def _absent(user: Manifest, port: str | int, selected: list[Pod]) -> Iterator[str]:
    for pod in selected:
        if port not in pod.ports:
            yield f"{title(user)}: {pod.name} has no port {port}"


def _of_probes(pod: Pod) -> Iterator[str]:
    for container in pod.containers:
        known = {port.get(key) for port in container.get("ports", []) for key in ("name", "containerPort")}
        for probe in PROBES:
            for handler in ("httpGet", "tcpSocket"):
                asked = container.get(probe, {}).get(handler)
                if asked is not None and asked["port"] not in known:
                    yield f"{pod.name}, container {container['name']}: the {probe} asks the port {asked['port']}"


def _of_programs(pod: Pod) -> Iterator[str]:
    """Of our own programs the ports are as they are told."""
    for container in pod.containers:
        declared = {str(port["containerPort"]) for port in container.get("ports", [])}
        command = container.get("command", [])
        told = [value for option, value in pairwise(command) if option == "--port" and "torchserve" not in command]
        told += [variable["value"] for variable in container.get("env", []) if variable["name"] == VARIABLE]
        if "spade-serve" in command and set(told) != declared:
            yield f"{pod.name}, container {container['name']}: it listens on {told} and declares {sorted(declared)}"


def test_every_port_is_listened_on(manifests: list[Manifest]) -> None:
    assert list(lost_ports(manifests)) == []


IN_WORKER = "/spec/template/spec/containers/0"


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        ("Service/spade-api", "/spec/ports/0/targetPort", "web", "Deployment/spade-api has no port web"),
        ("Service/spade-api", "/spec/ports/0/targetPort", REMOVED, "Deployment/spade-api has no port 80"),
        ("Service/spade-api", "/spec/ports/0/name", "web", "Service/spade-api has no port http"),
        ("NetworkPolicy/spade-metrics", "/spec/ingress/0/ports/0/port", 9101, "Deployment/spade-worker has no port"),
        ("PodMonitor/spade-worker", "/spec/podMetricsEndpoints/0/port", "http", "has no port http"),
        (
            "Deployment/spade-worker",
            f"{IN_WORKER}/livenessProbe/httpGet/port",
            "http",
            "the livenessProbe asks the port",
        ),
        ("Deployment/spade-worker", f"{IN_WORKER}/ports/0/containerPort", 9101, "listens on ['9100'] and declares"),
        ("Deployment/spade-api", f"{IN_WORKER}/command/5", "8081", "listens on ['8081'] and declares ['8080']"),
    ],
)
def test_a_port_that_nobody_listens_on_is_noticed(where: str, path: str, value: object, said: str) -> None:
    assert [fault for fault in lost_ports(planted(render("production"), where, path, value)) if said in fault]
