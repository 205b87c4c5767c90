"""The Dockerfiles: hadolint's rules, and those of this project that it does not know."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.dockerfiles import IMAGES, Stage, dockerfile_text, parse_dockerfile
from support.image_files import VERSION

ROOT = Path(__file__).parents[3]
USER = "10001:10001"
SECRET = re.compile(r"PASSW|SECRET|TOKEN|CREDENTIAL|(_|\b)KEY\b")
PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")


def found_by_hadolint(text: str) -> list[str]:
    command = [Path(sys.executable).with_name("hadolint"), "--no-color", "--format", "gnu", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.stdout.splitlines()


def found_here(text: str, name: str) -> Iterator[str]:
    """What is wrong with the Dockerfile of the image spade-NAME."""
    dockerfile = parse_dockerfile(text)
    for stage in dockerfile.stages:
        yield from found_in_stage(stage)
    if [copied.split()[0] for copied in dockerfile.image.values("COPY")] != ["--from=build"]:
        yield "the image holds what it was built with"
    yield from found_in_image(dockerfile.image)
    yield from found_in_labels(dockerfile.image, name)


def found_in_stage(stage: Stage) -> Iterator[str]:
    if not PINNED.fullmatch(stage.base):
        yield f"base {stage.base} is not pinned to a version"
    for variable in stage.pairs("ENV") | stage.pairs("ARG"):
        if SECRET.search(variable):
            yield f"{variable} would be in the image for all to read"
    if stage.values("ADD"):
        yield "ADD fetches and unpacks what it likes; COPY does not"


def found_in_image(image: Stage) -> Iterator[str]:
    if image.last("USER") != USER:
        yield f"it runs as {image.last('USER') or 'root'}, not as {USER}"
    if not image.last("HEALTHCHECK"):
        yield "it has no health check"
    if not image.last("EXPOSE"):
        yield "it does not say at which port it answers"


def found_in_labels(image: Stage, name: str) -> Iterator[str]:
    labels = image.pairs("LABEL")
    wanted = {"title": f"spade-{name}", "licenses": "Apache-2.0", "version": "${VERSION}", "revision": "${REVISION}"}
    for key, value in wanted.items():
        if labels.get(f"org.opencontainers.image.{key}") != value:
            yield f"its label {key} is not {value}"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if image.pairs("ARG").get("VERSION") != version:
        yield f"VERSION is not the project's, {version}"


@pytest.mark.parametrize("name", IMAGES)
def test_a_dockerfile_keeps_to_the_rules(name: str) -> None:
    text = dockerfile_text(name)
    assert [*found_by_hadolint(text), *found_here(text, name)] == []


@pytest.mark.parametrize("name", IMAGES)
def test_programs_get_signals_themselves(name: str) -> None:
    """Commands are lists, so that no shell is process 1; hadolint finds others. Nor is Celery to take SIGTERM for
    SIGQUIT, which breaks off the batch in hand."""
    dockerfile = parse_dockerfile(dockerfile_text(name))
    assert dockerfile.command[0] in ("spade", "spade-serve")
    assert "REMAP_SIGTERM" not in dockerfile_text(name)
    assert not dockerfile.image.values("STOPSIGNAL")


@pytest.mark.parametrize("name", IMAGES)
def test_its_head_builds_what_manifests_and_compose_ask_for(name: str) -> None:
    head = dockerfile_text(name).partition("ARG ")[0]
    wanted = [f"spade-{name}:{VERSION}", *([] if name == "api" else [f"spade-{name}:{VERSION}-cuda"])]
    assert re.findall(r" -t (\S+)", head) == wanted


@pytest.mark.parametrize("name", ["api", "worker", "torchserve"])
def test_a_health_check_asks_at_the_port_that_the_image_exposes(name: str) -> None:
    dockerfile = parse_dockerfile(dockerfile_text(name))
    assert [int(port) for port in re.findall(r":(\d+)/", dockerfile.health[3])] == list(dockerfile.ports)


FAULTS = {
    "root": ("USER 10001:10001\n", "", "it runs as root"),
    "a name for a user": ("USER 10001:10001", "USER spade", "it runs as spade"),
    "root at the end": ("EXPOSE", "USER root\nEXPOSE", "DL3002"),
    "the newest Python": ("PYTHON_IMAGE=python:3.11.15-slim-bookworm", "PYTHON_IMAGE=python:latest", "is not pinned"),
    "any Python": ("PYTHON_IMAGE=python:3.11.15-slim-bookworm", "PYTHON_IMAGE=python", "is not pinned"),
    "any patch of Python": ("python:3.11.15-slim-bookworm", "python:3.11-slim", "is not pinned"),
    "no health check": ("HEALTHCHECK --interval=10s", "LABEL unhealthy --interval=10s", "no health check"),
    "something from the web": ("USER 10001", "ADD https://example.org/x.tar.gz /opt\nUSER 10001", "ADD fetches"),
    "a secret": ("USER 10001", "ENV SPADE_S3_SECRET_KEY=hunter2\nUSER 10001", "SPADE_S3_SECRET_KEY would be"),
    "a secret to build": ("WORKDIR /build", "ARG INDEX_PASSWORD\nWORKDIR /build", "INDEX_PASSWORD would be"),
    "lists of packages": ("RUN groupadd", "RUN apt-get update && apt-get install -y gcc\nRUN groupadd", "DL3009"),
    "recommended packages": ("RUN groupadd", "RUN apt-get install -y gcc\nRUN groupadd", "DL3015"),
    "a shell as process 1": ('ENTRYPOINT ["spade-serve"]', "ENTRYPOINT spade-serve", "DL3025"),
    "the code in the image": ("COPY --from=build /opt/spade /opt/spade", "COPY . /opt/spade", "it was built with"),
    "a cache of pip": ("--no-cache-dir --no-deps", "--no-deps", "DL3042"),
    "another version": ("ARG VERSION=0.1.0", "ARG VERSION=0.0.9", "VERSION is not the project's"),
    "no title": ('title="spade-', 'name="spade-', "its label title"),
    "no port": ("EXPOSE 8080\n", "", "at which port"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    right, wrong, told = FAULTS[fault]
    text = dockerfile_text("api")
    assert right in text
    text = text.replace(right, wrong)
    found = found_by_hadolint(text) if told.startswith("DL") else list(found_here(text, "api"))
    assert any(told in line for line in found), found
