"""What a manifest names is in the manifests, or it is documented that the cluster has to have it."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest

from support.manifests import (
    DATASET_CLAIM,
    K8S,
    REMOVED,
    Manifest,
    of_kind,
    overlay_names,
    planted,
    pods,
    render,
    rendered_text,
    title,
    walk,
)

DOCUMENTED: Final = set(
    re.findall(r"secret generic (spade-[a-z-]+)", "".join(path.read_text() for path in sorted(K8S.glob("*.md"))))
)
NAMED_BY: Final = {
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "configMap": "ConfigMap",
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
    "secret": "Secret",
    "credentials": "Secret",
    "persistentVolumeClaim": "PersistentVolumeClaim",
}


def lost_references(manifests: list[Manifest]) -> Iterator[str]:
    yield from _lost_names(manifests)
    yield from _lost_volumes(manifests)
    for stateful in of_kind(manifests, "StatefulSet"):
        if not _is_headless(manifests, stateful["spec"]["serviceName"]):
            yield f"{title(stateful)}: its serviceName is no headless Service"


def _lost_names(manifests: list[Manifest]) -> Iterator[str]:
    existing = {title(manifest) for manifest in manifests}
    for manifest in manifests:
        for path, node in walk(manifest):
            if path[-1:] and path[-1] in NAMED_BY and isinstance(node, dict):
                kind = NAMED_BY[path[-1]]
                name = node.get("name") or node.get("secretName") or node.get("claimName")
                documented = (kind == "Secret" and name in DOCUMENTED) or name == DATASET_CLAIM
                if f"{kind}/{name}" not in existing and not documented:
                    yield f"{title(manifest)}: there is no {kind} {name}"


def _lost_volumes(manifests: list[Manifest]) -> Iterator[str]:
    for pod in pods(manifests):
        volumes = {volume["name"] for volume in pod.spec.get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in pod.owner["spec"].get("volumeClaimTemplates", [])}
        for container in pod.containers:
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f"{pod.name}, container {container['name']}: there is no volume {mount['name']}"


def _is_headless(manifests: list[Manifest], name: str) -> bool:
    services = of_kind(manifests, "Service")
    return any(one["metadata"]["name"] == name and one["spec"].get("clusterIP") == "None" for one in services)


def fixed_configurations(manifests: list[Manifest]) -> Iterator[str]:
    """Configurations whose change pods would not notice, since it changes no name."""
    lasting = [pod for pod in pods(manifests) if pod.owner["kind"] in ("Deployment", "StatefulSet")]
    for pod in lasting:
        for path, node in walk(pod.spec):
            is_named = path[-1:] in (("configMapRef",), ("configMap",)) and isinstance(node, dict)
            if is_named and not re.search(r"-[a-z0-9]{10}$", node["name"]):
                yield f"{pod.name}: a change of the ConfigMap {node['name']} would not roll its pods"


def misplaced(manifests: list[Manifest]) -> Iterator[str]:
    """What is there twice, or in another namespace than the one of all."""
    for name, count in Counter(
        (title(manifest), manifest["metadata"].get("namespace")) for manifest in manifests
    ).items():
        if count > 1:
            yield f"{name[0]}: it is there {count} times"
    namespaces = {one["metadata"]["namespace"] for one in manifests if "namespace" in one["metadata"]}
    if len(namespaces) > 1:
        yield f"there are manifests in {sorted(namespaces)}"
    for namespace in of_kind(manifests, "Namespace"):
        if {namespace["metadata"]["name"]} != namespaces:
            yield f"{title(namespace)}: the manifests are in {sorted(namespaces)}"


def test_every_reference_is_there(manifests: list[Manifest]) -> None:
    assert list(lost_references(manifests)) == []


def test_a_change_of_the_configuration_rolls_the_pods(manifests: list[Manifest]) -> None:
    assert list(fixed_configurations(manifests)) == []


def test_everything_is_once_and_in_one_namespace(manifests: list[Manifest]) -> None:
    assert list(misplaced(manifests)) == []


def test_there_is_an_overlay_for_trying_and_one_for_running() -> None:
    assert {"dev", "production"} <= set(overlay_names())


def test_an_overlay_is_rendered_the_same_each_time() -> None:
    """So that to apply it again changes nothing."""
    assert rendered_text("dev") == rendered_text("dev")


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        ("ConfigMap/spade-config", "/metadata/name", "other", "there is no ConfigMap spade-config"),
        ("Secret/spade-redis", "/metadata/name", "other", "there is no Secret spade-redis"),
        ("Deployment/spade-api", "/spec/template/spec/volumes/1/name", "other", "there is no volume models"),
        (
            "Service/spade-s3",
            "/spec/clusterIP",
            REMOVED,
            "StatefulSet/spade-s3: its serviceName is no headless Service",
        ),
    ],
)
def test_a_lost_reference_is_noticed(where: str, path: str, value: object, said: str) -> None:
    assert [fault for fault in lost_references(planted(render("dev"), where, path, value)) if said in fault]


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        ("Service/spade-s3", "/metadata/name", "spade-api", "Service/spade-api: it is there 2 times"),
        ("Service/spade-api", "/metadata/namespace", "default", "there are manifests in ['default', 'spade']"),
        ("Namespace/spade", "/metadata/name", "other", "Namespace/other: the manifests are in ['spade']"),
    ],
)
def test_what_is_misplaced_is_noticed(where: str, path: str, value: object, said: str) -> None:
    assert said in list(misplaced(planted(render("dev"), where, path, value)))


def test_a_fixed_configuration_is_noticed() -> None:
    path = "/spec/template/spec/containers/0/envFrom/0/configMapRef/name"
    changed = planted(render("dev"), "Deployment/spade-worker", path, "spade-config")
    assert len(list(fixed_configurations(changed))) == 1
