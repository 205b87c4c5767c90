"""How pods start, are watched, end, and what they may use."""

from collections.abc import Iterator
from typing import Final

import pytest

from deploy.cluster.torchrun import SHUTDOWN_SECONDS
from deploy.gunicorn_config import graceful_timeout
from support.ends import WORKER_SECONDS
from support.manifests import REMOVED, Manifest, Pod, overlay_names, planted, pods, render

ROOM_SECONDS: Final = 5
"""In which a process ends that has waited for others for as long as it may."""
DEFAULT_GRACE_SECONDS: Final = 30
SERVERS: Final = ("Deployment", "StatefulSet")


def badly_watched(manifests: list[Manifest]) -> Iterator[str]:
    for pod in pods(manifests):
        for container in pod.main_containers if pod.owner["kind"] in SERVERS else []:
            yield from _badly_watched(pod, container, "startupProbe", "readinessProbe", "livenessProbe")
        for container in filter(_is_server_beside, pod.spec.get("initContainers", [])):
            yield from _badly_watched(pod, container, "startupProbe", "livenessProbe")


def _badly_watched(pod: Pod, container: Manifest, *probes: str) -> Iterator[str]:
    where = f"{pod.name}, container {container['name']}"
    for probe in probes:
        if probe not in container:
            yield f"{where}: it has no {probe}"
    if "/readyz" in str(container.get("livenessProbe")):
        yield f"{where}: it would be killed while Redis or the object store is away"


def _is_server_beside(container: Manifest) -> bool:
    """Whether it runs as long as its pod and answers at a port."""
    return container.get("restartPolicy") == "Always" and ("ports" in container or "--port" in container["command"])


def badly_ended(manifests: list[Manifest]) -> Iterator[str]:
    for pod in pods(manifests):
        grace = pod.spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
        for container in pod.main_containers:
            needed = _needed_grace(container)
            if grace < needed:
                yield f"{pod.name}: it has {grace} s to end, and {container['name']} may need {needed}"
            sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            if "api" in container.get("command", []) and sleep < 5:
                yield f"{pod.name}: it ends while requests are still sent to it; it needs a preStop sleep"


def _needed_grace(container: Manifest) -> int:
    command = container.get("command", [])
    if command[:2] == ["spade-serve", "api"]:
        sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        return int(sleep) + graceful_timeout + ROOM_SECONDS
    if command[:2] == ["spade-serve", "worker"]:
        return WORKER_SECONDS
    if command == ["python", "-m", "deploy.cluster.node"]:
        return SHUTDOWN_SECONDS + ROOM_SECONDS
    return 0


def badly_bounded(manifests: list[Manifest]) -> Iterator[str]:
    for pod in pods(manifests):
        for container in pod.containers:
            where = f"{pod.name}, container {container['name']}"
            requests, limits = (container.get("resources", {}).get(part, {}) for part in ("requests", "limits"))
            for resource in ("cpu", "memory", "ephemeral-storage"):
                if resource not in requests:
                    yield f"{where}: it requests no {resource}"
                if resource not in limits and resource != "cpu":
                    yield f"{where}: its {resource} has no limit"
            for resource in {name for name in (*requests, *limits) if "/" in name}:
                if requests.get(resource) != limits.get(resource):
                    yield f"{where}: it requests another number of {resource} than it is limited to"
        yield from _of_volumes(pod)


def _of_volumes(pod: Pod) -> Iterator[str]:
    volumes = pod.spec.get("volumes", [])
    for volume in volumes:
        if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
            yield f"{pod.name}: the volume {volume['name']} may fill the node's disk"
    temporary = {volume["name"] for volume in volumes if "emptyDir" in volume}
    for container in pod.containers:
        at_tmp = [mount["name"] for mount in container.get("volumeMounts", []) if mount["mountPath"] == "/tmp"]  # noqa: S108
        if "/spade-" in f"/{container['image']}" and not set(at_tmp) & temporary:
            yield f"{pod.name}, container {container['name']}: it has no /tmp to write to"


def test_pods_are_watched(manifests: list[Manifest]) -> None:
    assert list(badly_watched(manifests)) == []


def test_pods_have_the_time_they_need_to_end(manifests: list[Manifest]) -> None:
    assert list(badly_ended(manifests)) == []


def test_pods_use_what_they_say(manifests: list[Manifest]) -> None:
    assert list(badly_bounded(manifests)) == []


@pytest.mark.parametrize("name", ["dev", "production"])
def test_an_api_that_pulls_only_cards_has_no_room_for_weights(name: str) -> None:
    (api,) = (pod for pod in pods(render(name)) if pod.name == "Deployment/spade-api")
    pulls = [container for container in api.containers if "pull" in container["command"]]
    assert all("--cards" in container["command"] for container in pulls)
    rooms = [container["resources"]["limits"]["ephemeral-storage"] for container in pulls]
    rooms += [volume["emptyDir"]["sizeLimit"] for volume in api.spec["volumes"] if volume["name"] == "models"]
    assert [room for room in rooms if not room.endswith("Mi")] == []


@pytest.mark.parametrize("name", ["dev", "production", "production-torchserve"])
def test_a_worker_has_as_long_in_a_pod_as_in_compose(name: str) -> None:
    (worker,) = (pod for pod in pods(render(name)) if pod.name == "Deployment/spade-worker")
    assert worker.spec["terminationGracePeriodSeconds"] == WORKER_SECONDS


CONTAINER = "/spec/template/spec/containers/0"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (f"{CONTAINER}/startupProbe", REMOVED, "Deployment/spade-worker, container worker: it has no startupProbe"),
        (f"{CONTAINER}/livenessProbe/httpGet/path", "/readyz", "it would be killed while Redis"),
    ],
)
def test_a_badly_watched_pod_is_noticed(path: str, value: object, said: str) -> None:
    changed = planted(render("production"), "Deployment/spade-worker", path, value)
    assert [fault for fault in badly_watched(changed) if said in fault]


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe"])
def test_a_badly_watched_server_beside_a_worker_is_noticed(probe: str) -> None:
    manifests = render("production-torchserve")
    (worker,) = (pod for pod in pods(manifests) if pod.name == "Deployment/spade-worker")
    (server,) = (container for container in worker.containers if container["name"] == "torchserve")
    del server[probe]
    assert list(badly_watched(manifests)) == [f"Deployment/spade-worker, container torchserve: it has no {probe}"]


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        ("Deployment/spade-worker", "/spec/template/spec/terminationGracePeriodSeconds", 150, "has 150 s to end"),
        ("Deployment/spade-worker", "/spec/template/spec/terminationGracePeriodSeconds", REMOVED, "has 30 s to end"),
        ("Deployment/spade-api", f"{CONTAINER}/lifecycle/preStop/sleep/seconds", 60, "api may need 73"),
        ("Deployment/spade-api", f"{CONTAINER}/lifecycle", REMOVED, "it needs a preStop sleep"),
    ],
)
def test_a_hasty_end_is_noticed(where: str, path: str, value: object, said: str) -> None:
    assert [fault for fault in badly_ended(planted(render("production"), where, path, value)) if said in fault]


@pytest.mark.parametrize("name", [name for name in overlay_names() if name.startswith("training-")])
def test_a_hasty_end_of_training_is_noticed(name: str) -> None:
    manifests = render(name)
    (pod,) = pods(manifests)
    pod.spec["terminationGracePeriodSeconds"] = SHUTDOWN_SECONDS
    needed = SHUTDOWN_SECONDS + ROOM_SECONDS
    assert list(badly_ended(manifests)) == [
        f"{pod.name}: it has {SHUTDOWN_SECONDS} s to end, and node may need {needed}"
    ]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (f"{CONTAINER}/resources/requests/memory", REMOVED, "container worker: it requests no memory"),
        (f"{CONTAINER}/resources/limits/ephemeral-storage", REMOVED, "its ephemeral-storage has no limit"),
        (f"{CONTAINER}/resources/limits/nvidia.com~1gpu", "2", "another number of nvidia.com/gpu"),
        ("/spec/template/spec/volumes/0/emptyDir", {}, "the volume tmp may fill the node's disk"),
        (f"{CONTAINER}/volumeMounts/0/mountPath", "/scratch", "container worker: it has no /tmp"),
    ],
)
def test_what_may_use_too_much_is_noticed(path: str, value: object, said: str) -> None:
    changed = planted(render("production"), "Deployment/spade-worker", path, value)
    assert [fault for fault in badly_bounded(changed) if said in fault]
