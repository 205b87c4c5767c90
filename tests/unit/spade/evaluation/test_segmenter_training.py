from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from spade.data.config import DatasetConfig
from spade.errors import CheckpointError, ConfigError
from spade.evaluation.segmenter_augmentation import NOT_SCORED, augmented
from spade.evaluation.segmenter_checkpoint import load_segmenter
from spade.evaluation.segmenter_loss import class_weights, segmentation_loss
from spade.evaluation.segmenter_run import SegmenterRun
from spade.evaluation.segmenter_state import state_path
from spade.evaluation.segmenter_training import EpochResult, SegmenterTraining

Config = Callable[..., DatasetConfig]


def make_run(dataset: DatasetConfig, output: Path, *, base_channels: int = 2, **settings: object) -> SegmenterRun:
    training = SegmenterTraining(**({"batch_size": 4} | settings))
    return SegmenterRun(dataset, training, output=output, base_channels=base_channels, device=torch.device("cpu"))


def epochs(run: SegmenterRun, count: int | None = None) -> list[EpochResult]:
    results = []
    for result in run.epochs(lambda _done, _steps: None):
        results.append(result)
        if len(results) == count:
            break
    return results


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_shapes_are_learnt_in_seconds(shapes_config: Config, tmp_path: Path) -> None:
    run = make_run(shapes_config(train=48, val=8), tmp_path / "s.safetensors", base_channels=6, epochs=8)
    results = epochs(run)
    best = max(result.scores.mean_iou for result in results)
    assert best > 0.7  # by chance, or with one class everywhere, it is below 0.3
    assert results[-1].loss < results[0].loss

    _, record = load_segmenter(tmp_path / "s.safetensors")
    assert record.mean_iou == best
    assert (record.training_pictures, record.validation_pictures) == (48, 8)
    assert not state_path(tmp_path / "s.safetensors").exists()


def test_a_training_that_was_interrupted_ends_as_one_that_was_not(shapes_config: Config, tmp_path: Path) -> None:
    dataset = shapes_config(train=8, val=4)
    whole = make_run(dataset, tmp_path / "whole.safetensors", epochs=3)
    whole_results = epochs(whole)

    begun = make_run(dataset, tmp_path / "parts.safetensors", epochs=3)
    epochs(begun, count=1)
    resumed = make_run(dataset, tmp_path / "parts.safetensors", epochs=3, workers=1)
    resumed.resume()
    resumed_results = epochs(resumed)
    assert [result.epoch for result in resumed_results] == [2, 3]
    assert resumed_results == whole_results[1:]
    for name in ("network", "average", "best"):
        assert equal(getattr(whole.progress, name).state_dict(), getattr(resumed.progress, name).state_dict())
    assert (tmp_path / "whole.safetensors").read_bytes() == (tmp_path / "parts.safetensors").read_bytes()


def test_another_seed_gives_other_weights(shapes_config: Config, tmp_path: Path) -> None:
    dataset = shapes_config(train=4, val=2)
    runs = [make_run(dataset, tmp_path / "s", epochs=1, seed=seed) for seed in (0, 0, 1)]
    states = [run.progress.network.state_dict() for run in runs]
    assert equal(states[0], states[1])
    assert not equal(states[0], states[2])


def test_training_ends_when_it_gets_no_better(shapes_config: Config, tmp_path: Path) -> None:
    run = make_run(shapes_config(train=4, val=2), tmp_path / "s", epochs=9, patience=1, learning_rate=1e-12)
    results = epochs(run)
    assert len(results) < 9
    assert not results[-1].best
    assert run.progress.best_epoch == len(results) - 1


def test_resuming_nothing_or_something_else_is_refused(shapes_config: Config, tmp_path: Path) -> None:
    dataset = shapes_config(train=4, val=2)
    output = tmp_path / "s.safetensors"
    with pytest.raises(CheckpointError, match="there is no such file; leave out --resume"):
        make_run(dataset, output).resume()
    epochs(make_run(dataset, output, epochs=5), count=1)
    with pytest.raises(CheckpointError, match="the interrupted training has epochs 5, now it is 6"):
        make_run(dataset, output, epochs=6).resume()
    state_path(output).write_bytes(b"PK damaged")
    with pytest.raises(
        CheckpointError, match=r"interrupted training .*: not a checkpoint that torch can read; .*; leave out --resume"
    ):
        make_run(dataset, output, epochs=5).resume()


def test_a_state_that_cannot_be_written_ends_the_training_with_the_reason(
    shapes_config: Config, tmp_path: Path
) -> None:
    run = make_run(shapes_config(train=4, val=2), tmp_path / "s.safetensors", epochs=1)
    state_path(tmp_path / "s.safetensors").mkdir()
    with pytest.raises(CheckpointError, match="the state of the training cannot be written"):
        epochs(run)


def test_a_training_that_diverges_says_so(shapes_config: Config, tmp_path: Path) -> None:
    run = make_run(shapes_config(train=4, val=2), tmp_path / "s", epochs=2)
    with torch.no_grad():
        run.progress.network.classify.bias.fill_(torch.nan)
    with pytest.raises(ConfigError, match="the loss is nan; choose a lower learning rate"):
        epochs(run)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        SegmenterTraining(epochs=0)
    with pytest.raises(ConfigError, match="learning_rate must be positive and finite"):
        SegmenterTraining(learning_rate=float("nan"))


def test_the_learning_rate_rises_and_then_falls_to_nothing() -> None:
    training = SegmenterTraining(learning_rate=1.0)
    rates = [training.rate(step, 100) for step in range(100)]
    assert rates[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert max(rates) == rates[4] == 1.0
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[-1] == 0


def test_augmented_pictures_and_labels_stay_together() -> None:
    labels = torch.zeros(16, 64, 64, dtype=torch.int64)
    labels[:, 20:40, 10:30] = 1
    pictures = (labels * 2.0 - 1).unsqueeze(1).expand(-1, 3, -1, -1)
    random = torch.Generator().manual_seed(0)
    moved, moved_labels = augmented(pictures * 0.5, labels, random)
    inside, outside = moved[:, 0][moved_labels == 1], moved[:, 0][moved_labels == 0]
    assert inside.mean() - outside.mean() > 0.6
    assert set(moved_labels.unique().tolist()) == {NOT_SCORED, 0, 1}
    assert moved.abs().max() <= 1
    assert len({tuple(one.flatten().tolist()) for one in moved_labels}) == 16
    again, _ = augmented(pictures * 0.5, labels, torch.Generator().manual_seed(0))
    assert torch.equal(again, moved)


def test_pixels_that_are_not_scored_change_no_loss() -> None:
    scores = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.randint(3, (2, 8, 8), generator=torch.Generator().manual_seed(1))
    labels[:, :3] = NOT_SCORED
    loss = segmentation_loss(scores, labels, torch.ones(3))
    loss.backward()
    assert scores.grad is not None
    assert scores.grad[:, :, :3].abs().max() == 0
    assert scores.grad[:, :, 3:].abs().min() > 0
    assert segmentation_loss(scores, torch.full_like(labels, NOT_SCORED), torch.ones(3)).item() == 0


def test_the_loss_of_certain_and_right_scores_is_nothing() -> None:
    labels = torch.randint(3, (2, 8, 8), generator=torch.Generator().manual_seed(1))
    right = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2) * 100.0
    assert segmentation_loss(right, labels, torch.ones(3)).item() == pytest.approx(0, abs=1e-6)
    assert segmentation_loss(-right, labels, torch.ones(3)).item() > 50


def test_rare_classes_weigh_more_up_to_a_bound() -> None:
    weights = class_weights(torch.tensor([900, 100, 0]))
    assert weights[0] < weights[1] < weights[2] < 51


def test_what_a_killed_training_left_unfinished_is_cleared_away(shapes_config: Config, tmp_path: Path) -> None:
    for name in (".s.safetensors.7.partial", ".s.safetensors.state.7.partial", ".another.safetensors.7.partial"):
        (tmp_path / name).touch()
    epochs(make_run(shapes_config(train=8, val=4), tmp_path / "s.safetensors", epochs=1))
    assert [path.name for path in tmp_path.glob(".*.partial")] == [".another.safetensors.7.partial"]
