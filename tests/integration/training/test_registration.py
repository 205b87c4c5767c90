"""From a finished run to a model in the object store: once, also where the pod that does it dies meanwhile."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.cluster.node import run_node
from deploy.cluster.node_settings import NodeSettings
from deploy.cluster.registration import Registration
from deploy.local.ports import free_port
from deploy.model_transfer import TransferError, pull, stored_card
from model_store.registry import Registry
from spade.data.errors import DatasetError
from spade.errors import ConfigError
from workers.errors import StorageUnavailableError
from workers.settings import StorageSettings
from workers.storage import ObjectStore

Run = Callable[..., int]
CARD = "models/mine/1/card.json"


@pytest.fixture
def environment(s3: StorageSettings) -> dict[str, str]:
    return {
        "SPADE_S3_ENDPOINT": s3.endpoint,
        "SPADE_S3_ACCESS_KEY": s3.access_key,
        "SPADE_S3_SECRET_KEY": s3.secret_key,
        "SPADE_S3_BUCKET": s3.bucket,
    }


@pytest.fixture
def node(
    short_config: Path, dataset: Path, objects: ObjectStore, environment: dict[str, str], tmp_path: Path
) -> Callable[..., NodeSettings]:
    """The only node of a run whose dataset and checkpoints are in the object store."""
    for path in dataset.rglob("*.png"):
        objects.put(f"datasets/tiny/{path.relative_to(dataset)}", path.read_bytes())

    def settings(**changes: str) -> NodeSettings:
        told = {
            "SPADE_TRAIN_CONFIG": str(short_config),
            "SPADE_TRAIN_OUTPUT": str(tmp_path / "results"),
            "SPADE_TRAIN_CHECKPOINTS": "s3://spade/runs/mine",
            "SPADE_TRAIN_DATA": "s3://spade/datasets/tiny",
            "SPADE_TRAIN_FETCH_FOLDER": str(tmp_path / "data"),
            "SPADE_TRAIN_MODEL": "mine@1",
            "SPADE_TRAIN_NODES": "1",
            "SPADE_TRAIN_PROCESSES": "1",
            "SPADE_TRAIN_RENDEZVOUS": f"127.0.0.1:{free_port()}",
            "SPADE_TRAIN_ID": "mine",
            "SPADE_TRAIN_ADDRESS": "127.0.0.1",
            "SPADE_TRAIN_METRICS_PORT": str(free_port()),
            "JOB_COMPLETION_INDEX": "0",
        }
        return NodeSettings.from_environment({**told, **environment, **changes})

    return settings


@pytest.fixture
def trained(node: Callable[..., NodeSettings], finished_run: Path, objects: ObjectStore) -> Callable[..., NodeSettings]:
    """The node when the training has come to its end, and the pod died before it registered the model."""
    last = max((finished_run / "checkpoints").glob("step-*.pt"))
    objects.put(f"runs/mine/{last.name}", last.read_bytes())
    return node


def test_a_run_fetches_its_dataset_and_becomes_a_model_in_the_store(
    node: Callable[..., NodeSettings],
    environment: dict[str, str],
    objects: ObjectStore,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert run_node(node(), {**os.environ, **environment}) == 0
    told = capfd.readouterr()
    assert "training finished" in told.err
    assert "s3://spade/datasets/tiny: 20 files fetched" in told.out
    assert "mine@1 is in the object store" in told.out
    card = stored_card(objects, "mine@1")
    assert card is not None
    assert (card.data, card.label_nc) == ("s3://spade/datasets/tiny", 4)
    assert pull(objects, card, tmp_path / "models"), "whole and as its card says"
    assert Registry(tmp_path / "models").resolve("mine") == card

    before = objects.get(CARD)
    assert run_node(node(), environment) == 0
    assert "all has been done before" in capfd.readouterr().out
    assert objects.get(CARD) == before


def test_a_pod_that_died_after_the_training_only_registers(
    trained: Callable[..., NodeSettings],
    environment: dict[str, str],
    objects: ObjectStore,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run_node(trained(), environment) == 0
    assert "epoch 1" not in capfd.readouterr().err, "nothing is trained again"
    assert objects.exists(CARD)


def test_a_pod_that_died_while_it_registered_does_it_again(
    trained: Callable[..., NodeSettings], environment: dict[str, str], objects: ObjectStore
) -> None:
    assert run_node(trained(), environment) == 0
    objects.delete(CARD)  # what comes last
    assert run_node(trained(), environment) == 0
    assert objects.exists(CARD)
    assert objects.get("runs/mine/card.json") == objects.get(CARD)


def test_what_another_run_has_registered_is_refused_before_any_training(
    trained: Callable[..., NodeSettings], environment: dict[str, str], objects: ObjectStore
) -> None:
    assert run_node(trained(), environment) == 0
    others = trained(SPADE_TRAIN_CHECKPOINTS="s3://spade/runs/other")
    with pytest.raises(ConfigError, match="'mine@1': the object store has one already; choose another version"):
        run_node(others, environment)
    assert list(objects.keys("runs/other")) == []


def test_two_that_register_the_same_version_at_once_do_not_mix(
    trained: Callable[..., NodeSettings], environment: dict[str, str], objects: ObjectStore, dataset: Path
) -> None:
    """The one that comes second is told, after it was not told before."""
    assert run_node(trained(), environment) == 0
    last = next(key for key in objects.keys("runs/mine/step"))
    objects.put(last.replace("mine", "other"), objects.get(last))
    other = Registration(reference="mine@1", checkpoints="s3://spade/runs/other", environment=environment)
    with pytest.raises(TransferError, match="mine@1: the store has another model"):
        other.complete(device="cpu", dataroot=str(dataset), data="other data")


@pytest.mark.parametrize(
    ("model", "message"),
    [("mine", "write NAME@VERSION"), ("landscape@1", "such a model ships with the program; choose another version")],
)
def test_a_version_that_cannot_be_is_refused_before_any_training(
    node: Callable[..., NodeSettings], environment: dict[str, str], model: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run_node(node(SPADE_TRAIN_MODEL=model), environment)


def test_only_the_first_node_registers(
    trained: Callable[..., NodeSettings], environment: dict[str, str], objects: ObjectStore
) -> None:
    second = dataclasses.replace(trained(), nodes=2, index=1)
    assert run_node(second, environment) == 0
    assert not objects.exists(CARD)


def test_a_dataset_is_fetched_once(
    trained: Callable[..., NodeSettings],
    environment: dict[str, str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    picture = tmp_path / "data" / "train_img" / "0.png"
    assert run_node(trained(), environment) == 0
    whole = picture.read_bytes()
    picture.write_bytes(b"half")
    assert (
        run_node(trained(SPADE_TRAIN_CHECKPOINTS="s3://spade/runs/mine", SPADE_TRAIN_MODEL="mine@2"), environment) == 0
    )
    assert ": 1 files fetched" in capfd.readouterr().out
    assert picture.read_bytes() == whole


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("s3://spade/datasets/nothing", DatasetError, "there is nothing"),
        ("s3://spade", ConfigError, "write s3://bucket/prefix"),
        ("s3://missing/datasets", StorageUnavailableError, "NoSuchBucket"),
    ],
)
def test_a_dataset_that_is_not_there_is_named(
    trained: Callable[..., NodeSettings], environment: dict[str, str], data: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_node(trained(SPADE_TRAIN_DATA=data), environment)
