"""Pods keep to the standard `restricted` and beyond, and secrets are in no manifest."""

import base64
import re
from collections.abc import Iterator
from typing import Final

import pytest

from support.manifests import REMOVED, Manifest, Pod, of_kind, planted, pods, render, title, walk

SECRET: Final = re.compile(r"SECRET|PASSWORD|TOKEN|ACCESS_KEY|API_KEY|REDIS_URL")
"""In names of variables whose value nobody is to read in a manifest."""
AS_ROOT: Final = {"runAsUser": 0, "runAsNonRoot": False}
"""For RDMA only: a capability that is added reaches no process of another user."""
FOR_DEVELOPMENT: Final = re.compile(r"for-?development-?only", re.IGNORECASE)


def loose_pods(manifests: list[Manifest]) -> Iterator[str]:
    for pod in pods(manifests):
        spec, context = pod.spec, pod.spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or context.get("runAsUser") != 10001:
            yield f"{pod.name}: its pods do not run as the images' user, 10001"
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod.name}: its pods have no seccomp profile RuntimeDefault"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.name}: its pods have a token for the cluster's API"
        if spec.get("enableServiceLinks") is not False:
            yield f"{pod.name}: its pods have variables of Services, which may pass for settings"
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(name):
                yield f"{pod.name}: its pods have {name}"
        for volume in spec.get("volumes", []):
            if "hostPath" in volume:
                yield f"{pod.name}: the volume {volume['name']} is the node's"
        yield from _loose_containers(pod)


def _loose_containers(pod: Pod) -> Iterator[str]:
    for container in pod.containers:
        context = container.get("securityContext", {})
        where = f"{pod.name}, container {container['name']}"
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            yield f"{where}: it may gain privileges"
        if context.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{where}: it keeps capabilities"
        added = context.get("capabilities", {}).get("add", [])
        locks = added == ["IPC_LOCK"] and _asks_for_rdma(container)
        if added and not locks:
            yield f"{where}: it adds capabilities {added}"
        if locks and not AS_ROOT.items() <= context.items():
            yield f"{where}: its user gets nothing of {added}"
        if context.get("readOnlyRootFilesystem") is not True:
            yield f"{where}: its root file system can be written"
        for overriding in ("runAsUser", "runAsNonRoot", "seccompProfile"):
            if overriding in context and not (locks and overriding in AS_ROOT):
                yield f"{where}: it has a {overriding} other than its pod's"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield f"{where}: it has a port of the node"


def _asks_for_rdma(container: Manifest) -> bool:
    return any("rdma" in name or "hca" in name for name in container.get("resources", {}).get("limits", {}))


def loose_namespaces(manifests: list[Manifest]) -> Iterator[str]:
    """One that lets RDMA lock memory cannot be restricted."""
    locks = any(_asks_for_rdma(container) for pod in pods(manifests) for container in pod.containers)
    for namespace in of_kind(manifests, "Namespace"):
        level = namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce")
        if level != "restricted" and not locks:
            yield f"{title(namespace)}: its pod security is {level}"


def told_secrets(manifests: list[Manifest]) -> Iterator[str]:
    for secret in of_kind(manifests, "Secret"):
        decoded = {name: base64.b64decode(value).decode() for name, value in secret.get("data", {}).items()}
        for name, value in (decoded | secret.get("stringData", {})).items():
            if SECRET.search(name) and not FOR_DEVELOPMENT.search(value):
                yield f"{title(secret)}: the secret {name} is in the manifests"
    for config in of_kind(manifests, "ConfigMap"):
        for name in config.get("data", {}):
            if SECRET.search(name):
                yield f"{title(config)}: {name} is a secret"
    for manifest in manifests:
        for _, node in walk(manifest):
            if isinstance(node, dict) and isinstance(node.get("value"), str) and SECRET.search(str(node.get("name"))):
                yield f"{title(manifest)}: the value of {node['name']} is in the manifest"


def test_every_pod_is_restricted(manifests: list[Manifest]) -> None:
    assert list(loose_pods(manifests)) == []


def test_every_namespace_is_restricted(manifests: list[Manifest]) -> None:
    assert list(loose_namespaces(manifests)) == []


def test_no_manifest_tells_a_secret(manifests: list[Manifest]) -> None:
    assert list(told_secrets(manifests)) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("/securityContext/runAsNonRoot", REMOVED, "user, 10001"),
        ("/securityContext/runAsUser", 0, "user, 10001"),
        ("/securityContext/seccompProfile", {"type": "Unconfined"}, "seccomp"),
        ("/automountServiceAccountToken", True, "token"),
        ("/enableServiceLinks", REMOVED, "variables of Services"),
        ("/hostNetwork", True, "hostNetwork"),
        ("/volumes/0", {"name": "tmp", "hostPath": {"path": "/"}}, "the volume tmp is the node's"),
        ("/containers/0/securityContext/allowPrivilegeEscalation", REMOVED, "container api: it may gain privileges"),
        ("/containers/0/securityContext/privileged", True, "container api: it may gain privileges"),
        ("/containers/0/securityContext/capabilities", {}, "container api: it keeps capabilities"),
        ("/containers/0/securityContext/capabilities/add", ["IPC_LOCK"], "it adds capabilities ['IPC_LOCK']"),
        ("/containers/0/securityContext/runAsUser", 0, "a runAsUser other than its pod's"),
        ("/containers/0/ports/0/hostPort", 80, "a port of the node"),
        ("/initContainers/0/securityContext/readOnlyRootFilesystem", False, "container pull-models: its root"),
    ],
)
def test_a_loose_pod_is_noticed(path: str, value: object, said: str) -> None:
    changed = planted(render("production"), "Deployment/spade-api", f"/spec/template/spec{path}", value)
    assert [fault for fault in loose_pods(changed) if said in fault]


LOCKING: Final = {**AS_ROOT, "capabilities": {"add": ["IPC_LOCK"], "drop": ["ALL"]}}


@pytest.mark.parametrize(
    ("resource", "changes", "said"),
    [
        ("rdma/hca", {}, None),
        ("rdma/hca", {"capabilities": {"add": ["SYS_ADMIN"], "drop": ["ALL"]}}, "it adds capabilities ['SYS_ADMIN']"),
        ("rdma/hca", {"runAsUser": 10001}, "its user gets nothing of ['IPC_LOCK']"),
        ("rdma/hca", {"seccompProfile": {"type": "Unconfined"}}, "a seccompProfile other than its pod's"),
        ("cpu", {}, "a runAsUser other than its pod's"),
    ],
)
def test_only_rdma_has_root_and_only_to_lock_memory(resource: str, changes: Manifest, said: str | None) -> None:
    manifests, container = render("training-multi"), "/spec/template/spec/containers/0"
    [job] = of_kind(manifests, "Job")
    context = job["spec"]["template"]["spec"]["containers"][0]["securityContext"] | LOCKING | changes
    manifests = planted(manifests, title(job), f"{container}/securityContext", context)
    faults = list(loose_pods(planted(manifests, title(job), f"{container}/resources/limits", {resource: "1"})))
    assert (said is None and not faults) or any(str(said) in fault for fault in faults), faults


def test_a_loose_namespace_is_noticed() -> None:
    path = "/metadata/labels/pod-security.kubernetes.io~1enforce"
    changed = planted(render("production"), "Namespace/spade", path, "baseline")
    assert list(loose_namespaces(changed)) == ["Namespace/spade: its pod security is baseline"]


@pytest.mark.parametrize(
    ("overlay", "where", "path", "value"),
    [
        ("dev", "Secret/spade-secrets", "/data/SPADE_S3_SECRET_KEY", "cGFzc3dvcmQ="),
        ("dev", "Secret/spade-secrets", "/stringData/SPADE_S3_SECRET_KEY", "password"),
        ("production", "ConfigMap/spade-config", "/data/SPADE_REDIS_URL", "redis://:password@redis:6379/0"),
        (
            *("production", "Deployment/spade-worker", "/spec/template/spec/containers/0/env/0"),
            {"name": "SPADE_S3_SECRET_KEY", "value": "password"},
        ),
    ],
)
def test_a_secret_in_a_manifest_is_noticed(overlay: str, where: str, path: str, value: object) -> None:
    assert len(list(told_secrets(planted(render(overlay), where, path, value)))) == 1
