"""Where a run's results go: checkpoints in S3, a version of a model, published files."""

import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result

from model_store.card import Training
from model_store.loading import load_synthesizer
from model_store.registry import Registry
from spade.checkpoint import load_generator
from spade.config import Upsampling
from spade.published_import import PublishedHints, import_generator
from spade.training.metrics_log import read_metrics
from support.refusals import refusal
from workers.settings import StorageSettings
from workers.storage import ObjectStore

Train = Callable[..., Result]


def test_checkpoints_go_to_s3_and_come_back(
    train: Train, spade: Callable[..., Result], s3: StorageSettings, objects: ObjectStore, tmp_path: Path
) -> None:
    environment = {
        "SPADE_S3_ENDPOINT": s3.endpoint,
        "SPADE_S3_ACCESS_KEY": s3.access_key,
        "SPADE_S3_SECRET_KEY": s3.secret_key,
    }
    url = f"s3://{s3.bucket}/runs/one"
    first = train("-o", tmp_path / "a", "--checkpoints", url, "--set", "intervals.keep_checkpoints=1", env=environment)
    assert first.exit_code == 0, first.output
    assert list(objects.keys("")) == ["runs/one/step-000000004.pt"]

    # Another machine, whose folder is empty.
    second = train("-o", tmp_path / "b", "--checkpoints", url, "--epochs", 2, env=environment)
    assert second.exit_code == 0, second.output
    assert f"goes on from {url}/step-000000004.pt" in second.stderr
    assert [line["step"] for line in read_metrics(tmp_path / "b" / "metrics.jsonl")] == [5, 6, 7, 8]
    exported = spade("export", "run", url, "--published", tmp_path / "published", "--weights", "last", env=environment)
    assert exported.exit_code == 0, exported.output

    gone = environment | {"SPADE_S3_SECRET_KEY": "wrong" * 8}
    line = refusal(train("-o", tmp_path / "c", "--checkpoints", url, env=gone), exit_code=1)
    assert line == f"{url}/: cannot list: the store refuses these credentials"
    for wrong, reason in (("missing", "there is no such bucket"), ("UP", "ValueError: invalid bucket name UP")):
        line = refusal(train("-o", tmp_path / "c", "--checkpoints", f"s3://{wrong}/r", env=environment), exit_code=1)
        assert line.startswith(f"s3://{wrong}/r/: cannot list: {reason}")


def test_a_store_that_does_not_answer_is_named(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = {"SPADE_S3_ENDPOINT": "127.0.0.1:1", "SPADE_S3_ACCESS_KEY": "access", "SPADE_S3_SECRET_KEY": "secret"}
    monkeypatch.setattr("urllib3.Retry.sleep", lambda *_: None)
    line = refusal(train("-o", tmp_path / "run", "--checkpoints", "s3://spade/r", env=nowhere), exit_code=1)
    assert line == "s3://spade/r/: cannot list: no answer from 127.0.0.1:1: [Errno 111] Connection refused"


def test_an_exported_run_is_a_model_that_makes_pictures_and_a_published_file(
    spade: Callable[..., Result], finished_run: Path, tmp_path: Path
) -> None:
    options = ("--models-dir", tmp_path / "models", "--licence", "research use", "--device", "cpu")
    result = spade("export", "run", finished_run, "--model", "mine@3", "--published", tmp_path / "published", *options)
    assert result.exit_code == 0, result.output

    registry = Registry(tmp_path / "models")
    card = registry.resolve("mine@3")
    assert (card.training, card.licence, card.label_nc) == (Training.TRAINED, "research use", 4)
    maker = load_synthesizer(registry, card, device="cpu")
    assert maker.synthesize(np.zeros((1, 64, 64), dtype=np.uint8), None, [0]).shape == (1, 64, 64, 3)

    hints = PublishedHints(
        label_nc=4, dont_care=False, instance_edges=False, size=(64, 64), upsampling=Upsampling.NORMAL
    )
    published = import_generator(tmp_path / "published" / "latest_net_G.pth", hints).state_dict()
    for name, tensor in load_generator(registry.weights_path(card)).state_dict().items():
        assert torch.equal(tensor, published[name]), name
    discriminator = torch.load(tmp_path / "published" / "latest_net_D.pth", weights_only=True)
    assert "discriminator_1.model1.0.0.weight_orig" in discriminator
    assert (tmp_path / "published" / "iter.txt").read_text() in ("1\n8\n", "2\n0\n")

    taken = spade("export", "run", finished_run, "--model", "mine@3", *options)
    assert "mine@3: there is such a model already" in refusal(taken, exit_code=1)
    last = spade("export", "run", finished_run, "--model", "mine@4", "--weights", "last", *options)
    assert last.exit_code == 0, last.output
    assert registry.resolve("mine@4").weights.sha256 != card.weights.sha256


def test_what_killed_exports_left_unfinished_is_cleared_away(
    spade: Callable[..., Result], finished_run: Path, tmp_path: Path
) -> None:
    published, models = tmp_path / "published", tmp_path / "models"
    for left in (published / ".latest_net_D.pth.7.partial", models / "mine" / "1" / ".model.safetensors.7.partial"):
        left.parent.mkdir(parents=True)
        left.touch()
    options = ("--published", published, "--model", "mine", "--models-dir", models, "--weights", "last")
    assert spade("export", "run", finished_run, *options).exit_code == 0
    assert list(tmp_path.rglob("*.partial")) == []


def test_export_says_what_it_lacks(spade: Callable[..., Result], finished_run: Path, tmp_path: Path) -> None:
    assert spade("export", "run", finished_run).exit_code == 2
    nothing = spade("export", "run", tmp_path, "--published", tmp_path / "out")
    assert "there is no checkpoint of a training run" in refusal(nothing, exit_code=1)
    wrong = spade("export", "run", finished_run, "--model", "../up", "--models-dir", tmp_path / "models")
    assert "name '../up': use a-z, 0-9 and -" in refusal(wrong, exit_code=1)
    assert not (tmp_path / "up").exists()
    taken = spade(
        "export", "run", tmp_path / "nothing-yet", "--model", "landscape@1", "--models-dir", tmp_path / "models"
    )
    assert "landscape@1: there is such a model already; choose another version" in refusal(taken, exit_code=1)


def test_an_export_to_a_full_disk_is_answered_by_one_line(
    spade: Callable[..., Result], finished_run: Path, tmp_path: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        result = spade("export", "run", finished_run, "--published", tmp_path / "out", "--weights", "last")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert refusal(result, exit_code=1).endswith("File too large")
    assert list((tmp_path / "out").iterdir()) == []
