import math

import numpy as np
import pytest
import torch

from spade.errors import ConfigError
from spade.evaluation.confusion import ConfusionMatrix


def test_scores_are_those_counted_one_pixel_at_a_time() -> None:
    random = np.random.default_rng(0)
    reference, predicted = random.integers(0, 5, (3, 9, 7)), random.integers(0, 4, (3, 9, 7))
    confusion = ConfusionMatrix(4, ignored_id=4)
    for one, other in zip(reference, predicted, strict=True):
        confusion.update(torch.from_numpy(one), torch.from_numpy(other))
    scores = confusion.scores()

    pairs = [(r, p) for r, p in zip(reference.ravel(), predicted.ravel(), strict=True) if r != 4]
    iou = [sum(r == p == k for r, p in pairs) / sum(k in (r, p) for r, p in pairs) for k in range(4)]
    assert scores.pixels == len(pairs)
    assert scores.pixel_accuracy == pytest.approx(sum(r == p for r, p in pairs) / len(pairs))
    assert scores.iou == pytest.approx(tuple(iou))
    assert scores.mean_iou == pytest.approx(np.mean(iou))


def test_a_class_absent_from_the_reference_has_no_iou_but_counts_against_the_true_class() -> None:
    confusion = ConfusionMatrix(3, ignored_id=None)
    confusion.update(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 2, 1, 1]))
    scores = confusion.scores()
    assert scores.iou == (0.5, 1.0, None)
    assert scores.mean_iou == 0.75
    assert scores.classes_present == 2


def test_predictions_under_the_ignored_id_do_not_matter() -> None:
    confusion = ConfusionMatrix(2, ignored_id=0)
    confusion.update(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]))
    assert (confusion.scores().pixels, confusion.scores().pixel_accuracy) == (1, 1.0)


def test_without_any_pixel_scores_are_no_numbers() -> None:
    scores = ConfusionMatrix(2, ignored_id=2).scores()
    assert math.isnan(scores.mean_iou)
    assert math.isnan(scores.pixel_accuracy)


@pytest.mark.parametrize(("reference", "predicted", "side"), [([3], [0], "reference"), ([0], [-1], "predicted")])
def test_an_id_that_is_no_class_is_named(reference: list[int], predicted: list[int], side: str) -> None:
    with pytest.raises(ConfigError, match=rf"id (3|-1) in the {side}.* is not one of the classes 0\.\.1"):
        ConfusionMatrix(2, ignored_id=2).update(torch.tensor(reference), torch.tensor(predicted))


def test_maps_of_different_shapes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"\(2,\) and \(3,\)"):
        ConfusionMatrix(2, ignored_id=None).update(torch.zeros(2), torch.zeros(3))
