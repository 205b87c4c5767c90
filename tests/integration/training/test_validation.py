"""A run that is held against validation samples keeps its best state, and is over when it gets no better."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from deploy.cluster.finished import is_finished
from spade.training.checkpoints import read_checkpoint
from spade.training.metrics_log import read_metrics
from spade.training.presets import complete_config, with_value
from spade.training.toml_files import read_toml
from support.checkpoints import differences, state_of
from support.segmenters import save_untrained_segmenter

Spade = Callable[..., Result]
MANY_EPOCHS = 100
BAD_CONFIGURATION = 64


@pytest.fixture(scope="module")
def validated(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of the other tests, with a look after every third step, and at the end."""
    folder = tmp_path_factory.mktemp("validated")
    judge = save_untrained_segmenter(folder / "judge.safetensors", classes=4)
    section = f'[validation]\nsegmenter = "{judge}"\ninterval = 6\nsamples = 2\n'
    path = folder / "validated.toml"
    path.write_text(config_file.read_text() + section)
    return path


def test_looks_are_written_down_and_the_best_state_is_kept_and_exported(
    spade: Spade, validated: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    result = spade("train", "--config", validated, "-o", run)
    assert result.exit_code == 0, result.output
    looks = read_metrics(run / "validation.jsonl")
    assert [look["pictures"] for look in looks] == [6, 12, 16]
    assert all({"fid_segmenter", "miou", "accuracy"} <= set(look["metrics"]) for look in looks)
    distances = [look["metrics"]["fid_segmenter"] for look in looks]
    assert [look["best"] for look in looks] == [
        value < min([*distances[:at], 1e9]) for at, value in enumerate(distances)
    ]
    assert result.output.count("the best so far") == sum(look["best"] for look in looks)

    best = min(looks, key=lambda look: look["metrics"]["fid_segmenter"])
    file = run / "checkpoints" / "best.pt"
    assert read_checkpoint(file, where="best")["position"]["step"] == best["step"]
    page = (run / "index.html").read_text()
    assert f"after step {best['step']}, in best.pt" in page
    assert page.count("<article><h2>fid_segmenter") == page.count("<article><h2>miou") == 1

    of_run, of_best = (tmp_path / f"{name}.safetensors" for name in ("run", "best"))
    assert spade("export", "run", run, "-o", of_run).exit_code == 0
    assert spade("export", "run", file, "-o", of_best).exit_code == 0
    assert of_run.read_bytes() == of_best.read_bytes()


def test_a_run_that_gets_no_better_is_over_until_it_is_given_more_patience(
    spade: Spade, validated: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = ("train", "--config", validated, "-o", run, "--epochs", MANY_EPOCHS)
    patience = ("--set", "validation.patience=1", "--set", "validation.interval=2")
    over = spade(*command, *patience)
    assert over.exit_code == 0, over.output
    looks = read_metrics(run / "validation.jsonl")
    assert [look["best"] for look in looks[-2:]] == [True, False]
    assert looks[-1]["step"] == state_of(run)["position"]["step"] < 4 * MANY_EPOCHS
    assert (
        f"training finished after step {looks[-1]['step']}, with no better look at validation samples in the last 1"
        in over.output
    )

    config = read_toml(validated)
    for count, ended in ((1, True), (2, False)):
        waiting = with_value(with_value(config, "validation.patience", count), "schedule.epochs", MANY_EPOCHS)
        assert is_finished(complete_config(waiting), str(run / "checkpoints"), {}) is ended

    again = spade(*command, *patience)
    assert again.exit_code == 0, again.output
    assert read_metrics(run / "validation.jsonl") == looks

    more = spade(*command, "--set", "validation.patience=2", "--set", "validation.interval=2")
    assert more.exit_code == 0, more.output
    assert read_metrics(run / "validation.jsonl")[: len(looks)] == looks
    assert len(read_metrics(run / "validation.jsonl")) > len(looks)


def test_looks_leave_the_training_as_it_is_and_a_stop_leaves_no_trace(
    spade: Spade, config_file: Path, validated: Path, start: Callable[..., Any], tmp_path: Path
) -> None:
    plain, looked, stopped = (tmp_path / name for name in ("plain", "looked", "stopped"))
    assert spade("train", "--config", config_file, "-o", plain).exit_code == 0
    assert spade("train", "--config", validated, "-o", looked).exit_code == 0
    without, with_looks = state_of(plain), state_of(looked)
    for part in ("networks", "average", "optimizers", "random"):
        assert differences(without[part], with_looks[part]) == []

    first = start("--config", validated, "-o", stopped)
    first.wait_for_step(5, stopped)
    first.process.terminate()
    assert first.wait() == 0, first.output
    assert start("--config", validated, "-o", stopped).wait() == 0
    assert differences(state_of(looked), state_of(stopped)) == []
    assert [_without_time(look) for look in read_metrics(looked / "validation.jsonl")] == [
        _without_time(look) for look in read_metrics(stopped / "validation.jsonl")
    ]


def test_processes_end_together(validated: Path, start: Callable[..., Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = ("--set", "validation.patience=1", "--set", "validation.interval=2", "--epochs", MANY_EPOCHS)
    training = start("--config", validated, "-o", run, *settings, processes=2)
    assert training.wait() == 0, training.output
    looks = read_metrics(run / "validation.jsonl")
    assert [look["best"] for look in looks[-2:]] == [True, False]
    assert looks[-1]["step"] == state_of(run)["position"]["step"] < 4 * MANY_EPOCHS


def test_a_judge_of_other_classes_or_none_is_refused_before_the_first_step(
    spade: Spade, validated: Path, tmp_path: Path
) -> None:
    other = save_untrained_segmenter(tmp_path / "other.safetensors", classes=7)
    for judge, said in (
        (other, "the segmenter tells 7 classes apart and ignores id None, the dataset has 4 and ignores None"),
        (tmp_path / "none.safetensors", "none.safetensors"),
    ):
        run = tmp_path / "run"
        result = spade(
            "train", "--config", validated, "-o", run, "--set", f"validation.segmenter={json.dumps(str(judge))}"
        )
        assert result.exit_code == BAD_CONFIGURATION
        assert said in result.output
        assert len(result.output.strip().splitlines()) == 1
        assert not (run / "metrics.jsonl").exists()


def test_a_single_validation_sample_is_refused_before_the_first_step(
    spade: Spade, validated: Path, dataset: Path, tmp_path: Path
) -> None:
    root, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(dataset, root)
    for kind in ("label", "img"):
        (root / f"val_{kind}" / "1.png").unlink()
    result = spade("train", "--config", validated, "-o", run, "--set", f"dataset.root={json.dumps(str(root))}")
    assert result.exit_code == BAD_CONFIGURATION
    assert "validation: there is 1 validation sample; looks compare 2 or more" in result.output
    assert not (run / "metrics.jsonl").exists()


def test_samples_that_are_learned_from_are_refused(
    spade: Spade, validated: Path, dataset: Path, tmp_path: Path
) -> None:
    folders = ("--label-dir", dataset / "train_label", "--image-dir", dataset / "train_img")
    result = spade("train", "--config", validated, "-o", tmp_path / "run", *folders)
    assert result.exit_code == BAD_CONFIGURATION
    assert "validation: dataset.label_dir and image_dir name the samples that are learned from" in result.output


def test_the_best_of_looks_that_are_over_is_not_what_a_run_has_learned(
    spade: Spade, config_file: Path, validated: Path, tmp_path: Path
) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    assert spade("train", "--config", validated, "-o", run, "--epochs", 1).exit_code == 0
    best = run / "checkpoints" / "best.pt"
    assert best.exists()
    assert spade("train", "--config", config_file, "-o", run).exit_code == 0
    assert not best.exists()
    assert "in best.pt" not in (run / "index.html").read_text()

    judge = save_untrained_segmenter(tmp_path / "judge.safetensors", classes=4, base_channels=3)
    strange = ("--set", f"validation.segmenter={json.dumps(str(judge))}", "--set", "validation.patience=1")
    assert spade("train", "--config", validated, "-o", other, "--epochs", 1).exit_code == 0
    assert spade("train", "--config", validated, "-o", other, *strange).exit_code == 0
    looks = read_metrics(other / "validation.jsonl")
    assert [look["pictures"] for look in looks[:3]] == [6, 8, 12]
    assert looks[2]["best"], "the first look of another judge has none to be compared with"


def _without_time(look: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in look.items() if key != "time"}
