"""What network policies let through, and whom a pod's variables have it call."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from support.manifests import Manifest, Pod, of_kind, pods, selects

Direction = Literal["Ingress", "Egress"]
OUTSIDE: Final = ""
"""As a namespace: no pod of the cluster."""
_PEERS: Final = {"Ingress": "from", "Egress": "to"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One end of a connection. `namespace` is None for that of the manifests."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    namespace: str | None = None
    ports: dict[str | int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, pod: Pod) -> "Peer":
        return cls(name=pod.name, labels=pod.labels, ports=pod.ports)


def blocked(manifests: list[Manifest], client: Peer, server: Peer, port: int, protocol: str = "TCP") -> Iterator[str]:
    """Says which end's policies forbid the connection, if any do."""
    if not _allows(manifests, "Egress", client, server, (port, protocol), ports_of=server):
        yield f"{client.name}: it may not call {server.name} at port {port}"
    if not _allows(manifests, "Ingress", server, client, (port, protocol), ports_of=server):
        yield f"{server.name}: at port {port} it may not be called by {client.name}"


def _allows(
    manifests: list[Manifest], direction: Direction, near: Peer, far: Peer, port: tuple[int, str], *, ports_of: Peer
) -> bool:
    if near.namespace is not None:
        return True  # its policies are not ours
    policies = [
        policy["spec"]
        for policy in of_kind(manifests, "NetworkPolicy")
        if direction in policy["spec"]["policyTypes"] and selects(policy["spec"]["podSelector"], near.labels)
    ]
    rules = [rule for policy in policies for rule in policy.get(direction.lower(), [])]
    return not policies or any(
        _is_peer(rule.get(_PEERS[direction]), far) and _has_port(rule.get("ports"), port, ports_of) for rule in rules
    )


def _is_peer(peers: list[Manifest] | None, far: Peer) -> bool:
    return peers is None or any(_matches(peer, far) for peer in peers)


def _matches(peer: Manifest, far: Peer) -> bool:
    if "ipBlock" in peer:
        return far.namespace == OUTSIDE
    if far.namespace == OUTSIDE:
        return False
    if "namespaceSelector" in peer:
        in_namespace = selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": far.namespace or ""})
    else:
        in_namespace = far.namespace is None
    return in_namespace and ("podSelector" not in peer or selects(peer["podSelector"], far.labels))


def _has_port(ports: list[Manifest] | None, port: tuple[int, str], server: Peer) -> bool:
    if ports is None:
        return True
    named = [(server.ports.get(one["port"], one["port"]), one.get("protocol", "TCP")) for one in ports]
    return port in named


def variables(manifests: list[Manifest], container: Manifest) -> dict[str, str]:
    """The environment of a container, as far as the manifests tell it."""
    told: dict[str, str] = {}
    for source in container.get("envFrom", []):
        for reference, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if reference in source:
                told |= _content(manifests, kind, source[reference]["name"])
    for variable in container.get("env", []):
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        if reference is None:
            told[variable["name"]] = variable.get("value", "")
        else:
            told[variable["name"]] = _content(manifests, "Secret", reference["name"]).get(reference["key"], "")
    return told


def _content(manifests: list[Manifest], kind: str, name: str) -> dict[str, str]:
    for manifest in of_kind(manifests, kind):
        if manifest["metadata"]["name"] == name:
            data = manifest.get("data", {})
            return {key: base64.b64decode(value).decode() if kind == "Secret" else value for key, value in data.items()}
    return {}


def server_at(manifests: list[Manifest], host: str) -> Peer:
    """The pod behind a Service, something in another namespace, or something outside."""
    name, _, rest = host.partition(".")
    for service in of_kind(manifests, "Service"):
        if service["metadata"]["name"] == name and (not rest or rest.startswith(service["metadata"]["namespace"])):
            for pod in pods(manifests):
                if selects({"matchLabels": service["spec"]["selector"]}, pod.labels):
                    return Peer.of(pod)
    if host.endswith(".svc"):
        return Peer(name=host, namespace=rest.removesuffix(".svc"))
    return Peer(name=host, namespace=OUTSIDE)
