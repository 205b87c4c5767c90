"""Where a run's results go: checkpoints in S3, a version of a model, published files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
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
    assert line.startswith(f"{url}/: cannot list: ")


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


def test_export_says_what_it_lacks(spade: Callable[..., Result], finished_run: Path, tmp_path: Path) -> None:
    assert spade("export", "run", finished_run).exit_code == 2
    nothing = spade("export", "run", tmp_path, "--published", tmp_path / "out")
    assert "there is no checkpoint of a training run" in refusal(nothing, exit_code=1)
    wrong = spade("export", "run", finished_run, "--model", "../up", "--models-dir", tmp_path / "models")
    assert "name '../up': use a-z, 0-9 and -" in refusal(wrong, exit_code=1)
    assert not (tmp_path / "up").exists()
