"""What a segmenter is trained by: cross entropy that heeds rare classes, and overlap.

B batch, K classes, H W pixels.
"""

import torch
from torch import Tensor
from torch.nn import functional

from spade.evaluation.segmenter_augmentation import NOT_SCORED

SMALLEST_FREQUENCY = 1.02
"""As in ENet (Paszke et al. 2016, arXiv 1606.02147, section 5.2): bounds the weights by 1 / ln(1.02), about 50."""


def class_weights(pixels: Tensor) -> Tensor:
    """Weights (K,), float32, from the pixels (K,) that each class has: 1 / ln(1.02 + frequency)."""
    frequency = pixels.double() / pixels.sum().clamp(min=1)
    return (1 / torch.log(SMALLEST_FREQUENCY + frequency)).float()


def segmentation_loss(scores: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy with class weights (K,), plus the dice loss, of scores (B, K, H, W) and labels (B, H, W).

    Pixels labelled NOT_SCORED count in neither. Returns a scalar, 0 where no pixel counts.
    """
    counted = labels != NOT_SCORED
    if not counted.any():
        return scores.sum() * 0
    cross_entropy = functional.cross_entropy(scores, labels, weights, ignore_index=NOT_SCORED)
    return cross_entropy + dice_loss(scores, labels, counted)


def dice_loss(scores: Tensor, labels: Tensor, counted: Tensor) -> Tensor:
    """1 - 2 |A and B| / (|A| + |B|), mean over the classes that occur in the batch (Milletari et al. 2016).

    `counted` (B, H, W) are the pixels to look at, of which there must be one.
    """
    probabilities = functional.softmax(scores.float(), dim=1) * counted.unsqueeze(1)
    rows = labels.clamp(min=0).unsqueeze(1)
    of_true_class = probabilities.gather(1, rows).flatten()
    classes = scores.shape[1]
    ids, present = rows.flatten(), counted.flatten().float()
    blank = probabilities.new_zeros(classes)
    overlap, reference = blank.index_add(0, ids, of_true_class), blank.index_add(0, ids, present)
    dice = 2 * overlap / (probabilities.sum(dim=(0, 2, 3)) + reference).clamp(min=1)
    return 1 - dice[reference > 0].mean()
