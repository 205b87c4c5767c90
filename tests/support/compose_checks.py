"""What can be wrong with deploy/compose.yaml besides its form. Each check yields a line for each thing that is."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import click
import yaml

from deploy.cli import main
from support.compose import COMPOSE, Services, mounts, own_image
from support.dockerfiles import FOLDER, dockerfile_text, parse_dockerfile
from support.ends import WORKER_SECONDS
from support.image_files import VERSION
from workers.errors import SettingsError
from workers.settings import Settings

PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")
PORTS_OF_OTHERS = {"redis": 6379, "s3": 9000, "prometheus": 9090, "grafana": 3000}
TRAINING = "spade-training"  # runs are started by hand
SECRET = re.compile(r"PASSWORD|SECRET|KEY|AUTH")


class Asked(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)


def images(services: Services) -> Iterator[str]:
    for name, service in services.items():
        kind = own_image(service)
        if kind is None:
            if not PINNED.fullmatch(service["image"]):
                yield f"{name}: {service['image']} is not pinned to a version"
        elif not (FOLDER / f"Dockerfile.{kind}").exists():
            yield f"{name}: there is no {service['build']['dockerfile']}"
        elif service["image"] != built_image(kind, service["build"].get("args", {})):
            yield f"{name}: {service['image']} is built as {built_image(kind, service['build'].get('args', {}))}"


def built_image(kind: str, args: Mapping[str, str]) -> str:
    """What a build is called: with PyPI's torch it is one for CUDA."""
    return f"spade-{kind}:{VERSION}{'-cuda' if 'pypi.org' in args.get('TORCH_INDEX_URL', '') else ''}"


def privileges(services: Services) -> Iterator[str]:
    for name, service in services.items():
        if not service.get("read_only"):
            yield f"{name}: its files can be changed"
        if service.get("cap_drop") != ["ALL"] or "cap_add" in service or "privileged" in service:
            yield f"{name}: it has capabilities"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: its programs can gain privileges"


def ports(services: Services) -> Iterator[str]:
    for name, service in services.items():
        for published in service.get("ports", []):
            host, _, inside = published.rpartition(":")
            if not host.startswith("127.0.0.1:"):
                yield f"{name}: {published} is open to other machines"
            if int(inside) not in listening(name, service):
                yield f"{name}: nothing listens at {inside}"


def listening(name: str, service: Mapping[str, Any]) -> set[int]:
    """The ports of a service, as its command or its image says."""
    command = service.get("command", [])
    if "--port" in command:
        return {int(command[command.index("--port") + 1])}
    kind = own_image(service)
    return {PORTS_OF_OTHERS[name]} if kind is None else parse_dockerfile(dockerfile_text(kind)).ports


def environments(services: Services) -> Iterator[str]:
    for name, service in services.items():
        if own_image(service) is None:
            continue
        asked = Asked({key: str(value) for key, value in service["environment"].items()})
        try:
            settings = Settings.from_environment(asked)
        except SettingsError as error:
            yield f"{name}: {error}"
            continue
        for variable in asked.keys() - asked.names:
            yield f"{name}: nothing reads {variable}"
        told = [settings.redis_url, f"//{settings.storage.endpoint}", settings.prometheus_url or ""]
        for host, port in re.findall(r"(?://|@)([a-z0-9]+):(\d+)", " ".join(told)):
            if host not in services or int(port) not in listening(host, services[host]):
                yield f"{name}: nothing listens at {host}:{port}"


def commands(services: Services) -> Iterator[str]:
    """Those of our own images."""
    for name, service in services.items():
        if own_image(service) is not None and "command" in service:
            subcommand, *rest = service["command"]
            command = main.get_command(click.Context(main), subcommand)
            if command is None:
                yield f"{name}: spade-serve has no command {subcommand}"
                continue
            known = {option for parameter in command.params for option in parameter.opts}
            for option in rest:
                if option.startswith("--") and option not in known:
                    yield f"{name}: spade-serve {subcommand} has no {option}"


def dependencies(services: Services) -> Iterator[str]:
    for name, service in services.items():
        for other, needed in service.get("depends_on", {}).items():
            if other not in services:
                yield f"{name}: there is no service {other}"
            elif needed["condition"] == "service_healthy" and not _is_asked(services[other]):
                yield f"{name}: nobody asks whether {other} is well"
        if own_image(service) is None and not _is_asked(service):
            yield f"{name}: it has no health check"


def _is_asked(service: Mapping[str, Any]) -> bool:
    return "test" in service.get("healthcheck", {})


def ends(services: Services) -> Iterator[str]:
    """A worker has the time that its batch may need, as in a pod."""
    for name, service in services.items():
        if own_image(service) == "worker" and service.get("stop_grace_period") != f"{WORKER_SECONDS}s":
            yield f"{name}: it has {service.get('stop_grace_period')} to end, and may need {WORKER_SECONDS}s"


def volumes(services: Services, declared: Mapping[str, Any]) -> Iterator[str]:
    used = set()
    for name, service in services.items():
        for source, _ in mounts(service):
            if source.startswith("."):
                if not (COMPOSE.parent / source).exists():
                    yield f"{name}: there is no {source}"
            else:
                used.add(source)
    yield from (f"the volume {name} is not declared" for name in used - declared.keys())
    yield from (f"the volume {name} is used by nobody" for name in declared.keys() - used)


def secrets(services: Services) -> Iterator[str]:
    """Of the file as it is, with its variables."""
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable) and "${" not in str(value):
                yield f"{name}: {variable} is written where all can read it"


def scraped(services: Services) -> Iterator[str]:
    """What Prometheus is told to ask."""
    targets = [target for job in _jobs() if job["job_name"] != TRAINING for target in _targets(job)]
    for host, port in targets:
        found = [name for name, service in services.items() if host in _names(name, service)]
        if not found:
            yield f"prometheus: no service is called {host}"
        for name in found:
            if port not in listening(name, services[name]):
                yield f"prometheus: {name} is not at {port}"
    for name, service in services.items():
        is_ours = own_image(service) is not None and service["restart"] != "on-failure"
        if is_ours and _names(name, service).isdisjoint(host for host, _ in targets):
            yield f"prometheus: nobody asks {name} for its metrics"


def metrics_key(services: Services) -> Iterator[str]:
    """What the key of Prometheus is, by volume and name, where it is made and where it is read."""
    key = PurePosixPath(_jobs()[0]["authorization"]["credentials_file"])
    command = services["prepare"]["command"]
    made = PurePosixPath(command[command.index("--metrics-key") + 1])
    at = {target: source for source, target in mounts(services["prepare"])}
    read = {target: source for source, target in mounts(services["prometheus"])}
    if (at.get(str(made.parent)), made.name) != (read.get(str(key.parent)), key.name):
        yield f"prometheus: the key is not at {key}"


def _jobs() -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text())[
        "scrape_configs"
    ]
    return jobs


def _targets(job: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for searched in job.get("dns_sd_configs", []):
        yield from ((host, searched["port"]) for host in searched["names"])
    for given in job.get("static_configs", []):
        for host, _, port in (target.partition(":") for target in given["targets"]):
            yield host, int(port)


def _names(name: str, service: Mapping[str, Any]) -> set[str]:
    networks = service.get("networks", {}).values()
    return {name, *(alias for network in networks for alias in network.get("aliases", []))}
