"""deploy/compose.yaml: its form by the specification's schema, and what it says held against the code."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support import compose_checks
from support.compose import COMPOSE, ROOT, VARIABLE, filled_in, read_env, services
from support.image_files import other_servers

SCRIPT = ROOT / "deploy" / "secrets.sh"
VARIABLES = {
    **{"REDIS_PASSWORD": "1f", "S3_ACCESS_KEY": "AK0", "S3_SECRET_KEY": "2e", "GRAFANA_PASSWORD": "3d"},
    "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


def told(text: str) -> Iterator[str]:
    """Everything that is wrong with a compose file, but for its form."""
    filled = filled_in(text, VARIABLES)
    described = services(filled)
    if unknown := list(compose_checks.images(described)):
        yield from unknown  # the other checks read the Dockerfiles
        return
    for check in (
        *(compose_checks.privileges, compose_checks.ports, compose_checks.environments, compose_checks.commands),
        *(compose_checks.dependencies, compose_checks.scraped, compose_checks.metrics_key, compose_checks.ends),
    ):
        yield from check(described)
    yield from compose_checks.volumes(described, yaml.safe_load(filled)["volumes"])
    yield from compose_checks.secrets(services(text))


def misfit(path: Path) -> str:
    """What the schema of the Compose specification says against a file; empty if nothing."""
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_it_has_the_form_of_the_specification() -> None:
    assert misfit(COMPOSE) == ""


@pytest.mark.parametrize(("right", "wrong"), [("read_only", "readonly"), ("interval: 5s", "every: 5s")])
def test_another_form_is_refused(right: str, wrong: str, tmp_path: Path) -> None:
    planted = tmp_path / "compose.yaml"
    planted.write_text(COMPOSE.read_text().replace(right, wrong))
    assert wrong.partition(":")[0] in misfit(planted)


def test_docker_understands_it(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("there is no `docker compose` here")
    env = tmp_path / ".env"
    env.write_text("".join(f"{name}={value}\n" for name, value in VARIABLES.items()))
    command = [docker, "compose", "--file", COMPOSE, "--env-file", env, "--profile", "*", "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_it_says_fits_the_code() -> None:
    assert list(told(COMPOSE.read_text())) == []


FAULTS = {
    "any version": ("valkey/valkey:9.1.2-alpine", "valkey/valkey:latest", "valkey:latest is not pinned"),
    "no Dockerfile": ("deploy/Dockerfile.worker}", "deploy/Dockerfile.wroker}", "there is no deploy/Dockerfile.wroker"),
    "another image": (
        "image: spade-worker:0.1.0-cuda",
        "image: spade-api:0.1.0",
        "spade-api:0.1.0 is built as spade-worker:0.1.0-cuda",
    ),
    "files that change": ("read_only: true\n  cap_drop", "read_only: false\n  cap_drop", "files can be changed"),
    "capabilities": ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "it has capabilities"),
    "privileges": ("no-new-privileges:true", "no-new-privileges:false", "can gain privileges"),
    "open to all": ('"127.0.0.1:${API_PORT:-8080}:8080"', '"${API_PORT:-8080}:8080"', "open to other machines"),
    "another port": ("${API_PORT:-8080}:8080", "${API_PORT:-8080}:8000", "api: nothing listens at 8000"),
    "a misspelt variable": ("SPADE_DEVICE: cpu", "SPADE_DEVCIE: cpu", "nothing reads SPADE_DEVCIE"),
    "a wrong value": ("SPADE_WEBHOOK_SECRET: ${", "SPADE_WEBHOOK_SECRET: x${", "worker: "),
    "no such server": ("@redis:6379", "@valkey:6379", "nothing listens at valkey:6379"),
    "another port of a server": ("s3:9000", "s3:9001", "nothing listens at s3:9001"),
    "no such command": ("command: [exporter,", "command: [export,", "no command export"),
    "no such option": ("--disk, /data", "--disc, /data", "exporter has no --disc"),
    "no such service": ("{prometheus: {condition", "{prometeus: {condition", "no service prometeus"),
    "nobody asks": ("healthcheck: {test: [CMD, nc", "x-healthcheck: {test: [CMD, nc", "whether s3 is well"),
    "no such folder": ("./grafana/dashboards:", "./grafana/boards.d:", "there is no ./grafana/boards.d"),
    "no such volume": ("[redis:/data]", "[reids:/data]", "the volume reids is not declared"),
    "a volume too many": ("grafana: {}}", "grafana: {}, old: {}}", "the volume old is used by nobody"),
    "a secret": ("${GRAFANA_PASSWORD:?run deploy/secrets.sh first}", "admin", "GF_SECURITY_ADMIN_PASSWORD is written"),
    "a worker that is not found": ("{aliases: [worker]}", "{aliases: [gpu]}", "nobody asks worker-gpu"),
    "an exporter elsewhere": ('--port, "9108"', '--port, "9100"', "exporter is not at 9108"),
    "a hasty end": ("stop_grace_period: 180s", "stop_grace_period: 120s", "worker: it has 120s to end"),
    "the key elsewhere": ("keys/metrics-key", "keys/key", "the key is not at /run/secrets/metrics-key"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    right, wrong, what = FAULTS[fault]
    text = COMPOSE.read_text()
    assert right in text
    found = list(told(text.replace(right, wrong)))
    assert any(what in line for line in found), found


def test_servers_are_those_that_the_tests_run() -> None:
    assert list(other_servers(service["image"] for service in services(COMPOSE.read_text()).values())) == []


def test_its_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    script = Path(shutil.copy(SCRIPT, tmp_path))
    subprocess.run([script], check=True)
    env = tmp_path / ".env"
    made = read_env(env)
    needed = {found["name"] for found in VARIABLE.finditer(COMPOSE.read_text()) if found["kind"] == "?"}
    assert made.keys() == needed
    assert len(set(made.values())) == len(made)
    assert env.stat().st_mode & 0o777 == 0o600
    subprocess.run([script], check=True)
    assert read_env(env) == made
    assert list(compose_checks.environments(services(filled_in(COMPOSE.read_text(), made)))) == []


def test_they_stay_out_of_git_and_of_images() -> None:
    ignored = subprocess.run(["git", "check-ignore", "deploy/.env"], cwd=ROOT, capture_output=True, check=False)
    if ignored.returncode > 1:
        pytest.skip("not a git checkout")
    assert ignored.returncode == 0
    assert "**/.env*" in (ROOT / ".dockerignore").read_text().splitlines()
