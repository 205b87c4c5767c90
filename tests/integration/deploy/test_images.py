"""The images, without an engine: what each Dockerfile installs, and whether that is enough for what the image runs.

The commands of the build stage run here, taken from the Dockerfile, and make a virtual environment of the project's
wheel and the packages of the image's extra, no others, each as constraints.txt pins it. Then the image's programs run
out of it in an empty folder, told what deploy/compose.yaml tells them, with real servers; and the health check asks
them. So a package or a file that an image lacks is found. What this does not show: the base image, Debian's packages,
the user and its rights, that PyPI and PyTorch's index have the pinned versions for another Python than this one.
"""

import re
import subprocess
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from api.client import SpadeClient
from api.parameters import JobParameters
from deploy.examples import example_label_maps
from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.programs import find_java
from deploy.local.servers import RedisServer, S3Server, new_access_key, new_password, new_secret_key
from support.compose import COMPOSE, ROOT, Services, filled_in, services
from support.image_files import FILES, command_line, image_name
from support.images import BuiltImage, build_image
from support.manifests import containers, overlay_names, render
from support.waiting import wait_until
from support.wheelhouse import write_wheels

pytestmark = pytest.mark.timeout(600)
PACKAGES = ("api", "workers", "model_store", "spade", "deploy")
NOT_PACKED = {"deploy/compose.yaml", "deploy/setup.sh", "deploy/secrets.sh"}
SOURCES = "api/studio/"  # of what is in api/assets/studio


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    write_wheels(folder, ("api", "worker", "train", "torchserve", "traces"))
    return folder


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> BuiltImage:
    return build_image("api", tmp_path_factory.mktemp("api"), wheels)


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> BuiltImage:
    return build_image("worker", tmp_path_factory.mktemp("worker"), wheels)


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> BuiltImage:
    return build_image("train", tmp_path_factory.mktemp("train"), wheels)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The services of compose.yaml, told of two stores that are here and new: there is no bucket."""
    folder = tmp_path_factory.mktemp("stores")
    redis = RedisServer(folder=folder, port=free_port(), password=new_password())
    s3 = S3Server(
        **{"folder": folder / "s3", "port": free_port(), "bucket": "somebody-elses"},
        access_key=new_access_key(),
        secret_key=new_secret_key(),
    )
    with Child(redis, log=folder / "redis.log"), Child(s3, log=folder / "s3.log"):
        text = COMPOSE.read_text()
        for service, port in (("redis:6379", redis.port), ("s3:9000", s3.port)):
            assert service in text
            text = text.replace(service, f"127.0.0.1:{port}")
        secrets = {"REDIS_PASSWORD": redis.password, "S3_ACCESS_KEY": s3.access_key, "S3_SECRET_KEY": s3.secret_key}
        others = {"S3_PORT": str(s3.port), "WEBHOOK_SECRET": f"whsec_{'MfKQ' * 8}", "GRAFANA_PASSWORD": "none"}
        yield services(filled_in(text, secrets | others))


def test_the_wheel_holds_every_file_of_the_packages(api: BuiltImage) -> None:
    listed = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    wanted = {
        name for name in listed.stdout.splitlines() if "/Dockerfile." not in name and not name.startswith(SOURCES)
    } - NOT_PACKED
    (wheel,) = (api.folder / "build" / "whole").glob("*.whl")
    assert wanted - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_image_of_the_api_has_neither_torch_nor_weights(api: BuiltImage) -> None:
    done = api.run("python", "-c", "import torch")
    assert done.returncode == 1
    assert "No module named 'torch'" in done.stderr
    assert not list(api.folder.glob("installed/**/*.safetensors"))
    assert not list(api.folder.glob("installed/**/pip"))


def test_containers_of_api_and_worker_make_a_picture(
    api: BuiltImage, worker: BuiltImage, described: Services, tmp_path: Path
) -> None:
    """As compose.yaml has them started: prepared, the API open to others and with keys, the exporter, a worker."""
    ports = {"8080": str(free_port()), "9108": str(free_port()), "9100": str(free_port()), "/data": str(tmp_path)}
    api_command, exporter_command = (
        [ports.get(word, word) for word in command]
        for command in (api.dockerfile.command[1:], described["exporter"]["command"])
    )
    stores = described["prepare"]["environment"]
    told = {"SPADE_WORKER_PORT": ports["9100"], "SPADE_WORKER_MODELS": "landscape"}
    refused = api.run("spade-serve", *api_command, told=stores)
    assert "start it once the object store is up" in refused.stderr
    for _ in range(2):
        prepared = api.run("spade-serve", *map(api.here, described["prepare"]["command"]), told=stores)
        assert prepared.returncode == 0, prepared.stderr
    for image, cards in ((api, ["--cards"]), (worker, [])):  # as pods do before they start
        pulled = image.run("spade-serve", "models", "pull", "--all", *cards, told=stores)
        assert (pulled.returncode, pulled.stderr) == (0, "")
    metrics_key = (api.folder / "state" / "keys" / "metrics-key").read_text()
    key = api.run("spade-serve", "keys", "create", "--name", "me", told=stores).stdout.strip()
    with (
        api.running(*api_command, told=described["api"]["environment"]),
        api.running(*exporter_command, told=described["exporter"]["environment"]),
        worker.running(told=described["worker"]["environment"] | told),
    ):
        for image, port in ((api, "8080"), (api, "9108"), (worker, "9100")):
            wait_until(partial(image.is_well, int(ports[port])), f"who listens at {port} is well")
        url = f"http://127.0.0.1:{ports['8080']}"
        assert httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {metrics_key}"}).status_code == 200
        assert httpx.get(f"{url}/v1/models").status_code == 401
        with SpadeClient(url, key=key) as client:
            job = client.submit([example_label_maps()[0].path], JobParameters(model="landscape", seed=7))
            job = client.follow(job.id)
            assert client.picture(job.items[0]).startswith(b"\x89PNG")


def test_commands_of_pods_need_no_package_that_their_image_lacks(
    api: BuiltImage, worker: BuiltImage, train: BuiltImage
) -> None:
    """Told nothing, each ends with its own word about what it lacks: by then its packages are loaded."""
    images = {"spade-api": api, "spade-worker": worker, "spade-train": train}
    commands = {
        (image_name(container["image"]), *command_line(container))
        for name in overlay_names()
        for _, container in containers(render(name))
        if image_name(container["image"]) in FILES
    }
    assert ("spade-worker", "spade-serve", "models", "pull", "--all") in commands
    for image, *words in sorted(commands):
        if image == "spade-torchserve":
            continue  # it would start, being told enough; a test below starts it
        done = images[image].run(*words)
        assert done.returncode != 0, (image, words)
        assert re.search("^Error: .*(no service is known|SPADE_)", done.stderr, re.MULTILINE), done.stderr


def test_a_container_trains_two_steps(train: BuiltImage) -> None:
    drawn = train.run("spade", "dataset", "scenes", "data", "--count", "4", "--size", "64x64", "--workers", "1")
    assert drawn.returncode == 0, drawn.stderr
    small = ("generator.base_channels=2", "generator.hidden_channels=4", "discriminator.base_channels=4")
    trained = train.run(
        *("torchrun", "--nproc-per-node", "1", "--no-python", "spade", "train", "--device", "cpu", "--workers", "0"),
        *("--dataset", "custom", "--dataroot", "data", "--label-nc", "13", "--size", "64x64", "--batch-size", "2"),
        *("--epochs", "1", "--decay-epochs", "0", "--tensorboard", "-o", "run"),
        *(word for value in small for word in ("--set", value)),
    )
    assert trained.returncode == 0, trained.stderr
    assert (train.folder / "state" / "run" / "metrics.jsonl").exists()
    assert train.run("spade", "evaluate", "--help").returncode == 0


def test_a_container_of_torchserve_serves(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> None:
    find_java()
    image = build_image("torchserve", tmp_path_factory.mktemp("torchserve"), wheels)
    port = free_port()
    command = [str(port) if word == "8085" else word for word in image.dockerfile.command[1:]]
    others = ["--management-port", str(free_port()), "--metrics-port", str(free_port()), "--model", "landscape"]
    with image.running(*command, *others, told={"SPADE_DEVICE": "cpu", "SPADE_THREADS": "1"}):
        wait_until(lambda: image.is_well(port), "TorchServe is well", seconds=240)
        log = image.folder / "container.log"
        wait_until(lambda: "TorchServe is up" in log.read_text(), "it has its models", seconds=240)
