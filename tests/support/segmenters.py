"""Segmenters that have learnt nothing; their features tell pictures apart all the same."""

from pathlib import Path

import torch

from spade.evaluation.segmenter import Segmenter, SegmenterConfig
from spade.evaluation.segmenter_checkpoint import SegmenterRecord, save_segmenter


def untrained_record(config: SegmenterConfig, dataset: str = "custom") -> SegmenterRecord:
    """What would be said of it, had it been trained."""
    return SegmenterRecord(
        config=config,
        dataset=dataset,
        training_pictures=4,
        validation_pictures=2,
        epochs=1,
        seed=0,
        mean_iou=0.5,
        pixel_accuracy=0.75,
    )


def save_untrained_segmenter(
    path: Path,
    *,
    classes: int,
    ignored_id: int | None = None,
    size: int = 64,
    base_channels: int = 2,
    dataset: str = "custom",
) -> Path:
    """Writes one for square pictures of `size` pixels to `path`, which is returned; the same each time."""
    config = SegmenterConfig(
        classes=classes, ignored_id=ignored_id, height=size, width=size, base_channels=base_channels
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        segmenter = Segmenter(config).eval()
    save_segmenter(path, segmenter, untrained_record(config, dataset))
    return path
