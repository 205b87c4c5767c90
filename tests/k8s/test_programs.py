"""Images, commands and variables in manifests are ones that the project has."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import click
import pytest

from support.image_files import FILES, SCRIPTS, VERSION, command_line, image_name, other_servers, tag, user
from support.manifests import ROOT, Manifest, Pod, containers, find, planted, pods, render, walk
from support.network import variables
from workers.errors import SettingsError
from workers.settings import Settings

PACKAGES: Final = ("api", "workers", "model_store", "spade", "deploy")
OF_LIBRARIES: Final = ("CUDA_", "GLOO_", "HOME", "NCCL_", "NVIDIA_", "OMP_", "PYTORCH_", "TORCH_", "UCX_")
SECRETS: Final = {
    "SPADE_REDIS_URL": "redis://redis:6379/0",
    "SPADE_S3_ENDPOINT": "s3:9000",
    "SPADE_S3_ACCESS_KEY": "A" * 20,
    "SPADE_S3_SECRET_KEY": "a" * 40,
}
"""In place of those that a cluster's own Secret holds."""


def wrong_images(manifests: list[Manifest]) -> Iterator[str]:
    for where, container in containers(manifests):
        image = container["image"]
        if image_name(image) in FILES:
            if not re.fullmatch(rf"{re.escape(VERSION)}(-cuda)?", tag(image).partition("@")[0]):
                yield f"{where}: {image} is not of this version, {VERSION}"
            asks_for_gpus = _asks_for_gpus(container)
            if asks_for_gpus and not tag(image).partition("@")[0].endswith("-cuda"):
                yield f"{where}: it asks for GPUs, but {image} is the build for CPUs"
        elif image_name(image).startswith("spade"):
            yield f"{where}: there is no Dockerfile of {image}"
        elif not re.match(r"\d+\.\d+\.\d+", tag(image)):
            yield f"{where}: {image} is not one version"
    for pod in pods(manifests):
        for container in pod.containers:
            name, ids = image_name(container["image"]), pod.spec.get("securityContext", {})
            if name in FILES and user(name) != f"{ids.get('runAsUser')}:{ids.get('runAsGroup')}":
                yield f"{pod.name}: its pods do not run as {name}'s user, {user(name)}"


def _asks_for_gpus(container: Manifest) -> bool:
    return "nvidia.com/gpu" in container.get("resources", {}).get("limits", {})


def unschedulable(manifests: list[Manifest]) -> Iterator[str]:
    """What asks for GPUs although it is told to compute on CPUs, as where there are none."""
    for pod in pods(manifests):
        for container in pod.containers:
            if _asks_for_gpus(container) and variables(manifests, container).get("SPADE_DEVICE") == "cpu":
                yield f"{pod.name}, container {container['name']}: it asks for GPUs and computes on the CPU"


def wrong_commands(manifests: list[Manifest]) -> Iterator[str]:
    for where, container in containers(manifests):
        if image_name(container["image"]) in FILES:
            for words in (command_line(container), *_probes(container)):
                problem = _problem(words)
                if problem:
                    yield f"{where}: {' '.join(words)}: {problem}"


def _probes(container: Manifest) -> Iterator[list[str]]:
    """The commands that say how it is."""
    for path, node in walk(container):
        if path[-1:] == ("exec",) and isinstance(node, dict):
            yield node["command"]


def _problem(words: list[str]) -> str | None:
    program, *arguments = words
    if program in SCRIPTS:
        module, _, function = SCRIPTS[program].partition(":")
        return _problem_of_click(getattr(import_module(module), function), arguments)
    if program == "python" and arguments[:1] == ["-m"]:
        module = arguments[1]
        return None if module.split(".")[0] in PACKAGES and find_spec(module) else f"there is no module {module}"
    return f"{program} is no command of the project; it has: {', '.join(SCRIPTS)}"


def _problem_of_click(command: Any, arguments: list[str]) -> str | None:
    """Whether the options are there and take such values; nothing is run."""
    context = click.Context(command)
    try:
        while isinstance(command, click.Group):
            _, command, arguments = command.resolve_command(context, list(arguments))
            context = click.Context(command, parent=context)
        values, rest, _ = command.make_parser(context).parse_args(list(arguments))
        for parameter in command.params:
            if parameter.name in values and not isinstance(parameter, click.Argument):
                parameter.type_cast_value(context, values[parameter.name])
    except click.ClickException as error:
        return error.format_message()
    return f"there is more than it takes: {' '.join(rest)}" if rest else None


def wrong_variables(manifests: list[Manifest]) -> Iterator[str]:
    for pod in pods(manifests):
        for container in pod.containers:
            if image_name(container["image"]) in FILES:
                yield from _wrong_variables(pod, container, variables(manifests, container))


def _wrong_variables(pod: Pod, container: Manifest, told: dict[str, str]) -> Iterator[str]:
    where = f"{pod.name}, container {container['name']}"
    for name in told:
        is_used = f"$({name})" in str(container) or name in _read_names()
        if not is_used and not name.startswith(OF_LIBRARIES):
            yield f"{where}: no program reads {name}"
    if container.get("command", [])[:2] in (
        ["spade-serve", "api"],
        ["spade-serve", "worker"],
        ["spade-serve", "models"],
    ):
        if "secretRef" not in str(container.get("envFrom")):
            yield f"{where}: nothing tells it where Redis and the object store are"
        try:
            Settings.from_environment({**SECRETS, **{name: value for name, value in told.items() if value}})
        except SettingsError as error:
            yield f"{where}: {error}"


@cache
def _read_names() -> set[str]:
    code = (path.read_text(encoding="utf-8") for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {name for text in code for name in re.findall(r'"([A-Z][A-Z0-9_]+)"', text)}


def test_every_image_is_one_version_of_what_is_built(manifests: list[Manifest]) -> None:
    assert list(wrong_images(manifests)) == []


def test_the_base_by_itself_has_images_for_the_device_that_it_names() -> None:
    base = render("../base/serving")
    assert find(base, "ConfigMap/spade-config")["data"]["SPADE_DEVICE"] == "cuda"
    assert list(wrong_images(base)) == []


def test_what_computes_on_cpus_asks_for_no_gpus(manifests: list[Manifest]) -> None:
    assert list(unschedulable(manifests)) == []


def test_gpus_that_nobody_uses_are_noticed() -> None:
    changed = planted(render("production"), "ConfigMap/spade-config", "/data/SPADE_DEVICE", "cpu")
    assert list(unschedulable(changed)) == [
        "Deployment/spade-worker, container worker: it asks for GPUs and computes on the CPU"
    ]


@pytest.mark.parametrize("name", ["dev-torchserve", "production-torchserve"])
def test_torchserve_starts_after_models_are_pulled_and_before_the_worker(name: str) -> None:
    (worker,) = (pod for pod in pods(render(name)) if pod.name == "Deployment/spade-worker")
    names = [container["name"] for container in worker.containers]
    assert names == ["pull-models", "keep-models", "torchserve", "worker"]


def test_every_command_is_one_of_the_project(manifests: list[Manifest]) -> None:
    assert list(wrong_commands(manifests)) == []


def test_every_variable_is_read(manifests: list[Manifest]) -> None:
    assert list(wrong_variables(manifests)) == []


def test_servers_for_development_are_those_of_the_tests() -> None:
    assert list(other_servers(container["image"] for _, container in containers(render("dev")))) == []


def test_another_server_is_noticed() -> None:
    told = list(other_servers(["docker.io/rclone/rclone:1.0.0", "docker.io/valkey/valkey:9-alpine"]))
    assert [line.partition(", ")[0] for line in told] == ["rclone is 1.0.0", "valkey is 9"]


IN_WORKER = "/spec/template/spec/containers/0"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (f"{IN_WORKER}/image", "spade-worker", f"spade-worker is not of this version, {VERSION}"),
        (f"{IN_WORKER}/image", "spade-worker:latest", "is not of this version"),
        (f"{IN_WORKER}/image", f"spade-worker:{VERSION}", "is the build for CPUs"),
        (f"{IN_WORKER}/image", "registry.example.org/spade-work:0.1.0", "there is no Dockerfile"),
        (f"{IN_WORKER}/image", "busybox:stable", "busybox:stable is not one version"),
        ("/spec/template/spec/securityContext/runAsUser", 1000, "do not run as spade-worker's user"),
    ],
)
def test_a_wrong_image_is_noticed(path: str, value: object, said: str) -> None:
    changed = planted(render("production"), "Deployment/spade-worker", path, value)
    assert [fault for fault in wrong_images(changed) if said in fault]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["spade-server", "worker"], "spade-server is no command of the project"),
        (["spade-serve", "work"], "No such command 'work'"),
        (["spade-serve", "worker", "--port", "9100"], "No such option"),
        (["spade-serve", "exporter", "--port", "metrics"], "'metrics' is not a valid"),
        (["spade-serve", "worker", "twice"], "more than it takes: twice"),
        (["python", "-m", "workers.worker"], "there is no module workers.worker"),
        (["/bin/sh", "-c", "spade-serve worker"], "/bin/sh is no command of the project"),
    ],
)
def test_a_wrong_command_is_noticed(command: list[str], said: str) -> None:
    changed = planted(render("production"), "Deployment/spade-worker", f"{IN_WORKER}/command", command)
    assert [fault for fault in wrong_commands(changed) if said in fault]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["python", "-m", "deploy.prob", "http://127.0.0.1:8080/livez"], "there is no module deploy.prob"),
        (["python", "-c", "print()"], "python is no command of the project"),
    ],
)
def test_a_wrong_command_of_a_probe_is_noticed(command: list[str], said: str) -> None:
    changed = planted(
        render("dev"), "Deployment/spade-api", "/spec/template/spec/containers/0/livenessProbe/exec/command", command
    )
    assert [fault for fault in wrong_commands(changed) if said in fault]


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        ("ConfigMap/spade-config", "/data/SPADE_S3_BUKET", "spade", "no program reads SPADE_S3_BUKET"),
        (
            "ConfigMap/spade-config",
            "/data/SPADE_S3_SECURE",
            "yes",
            "SPADE_S3_SECURE is 'yes'; it must be true or false",
        ),
        ("Deployment/spade-worker", f"{IN_WORKER}/env/1/value", "0.1", "SPADE_WORKER_PORT is '0.1'"),
        ("Deployment/spade-worker", f"{IN_WORKER}/env/1/name", "WORKER_PORT", "no program reads WORKER_PORT"),
        ("Deployment/spade-worker", f"{IN_WORKER}/envFrom/1", {}, "nothing tells it where Redis"),
    ],
)
def test_a_wrong_variable_is_noticed(where: str, path: str, value: object, said: str) -> None:
    changed = planted(render("production"), where, path, value)
    assert [fault for fault in wrong_variables(changed) if said in fault]
