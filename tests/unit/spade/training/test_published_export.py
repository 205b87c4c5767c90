"""Files that the published code reads make the pictures that the run's own networks make."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from spade.config import Upsampling
from spade.published_import import PublishedHints, import_generator
from spade.training.config import TrainingConfig
from spade.training.finished import TrainedRun, Weights
from spade.training.published_export import export_published
from spade.training.state import RunState


def test_an_output_multiplier_goes_into_the_published_weights(
    tiny_config: TrainingConfig, state_of: Callable[[TrainingConfig], RunState], tmp_path: Path
) -> None:
    config = replace(tiny_config, generator=replace(tiny_config.generator, output_multiplier=0.5))
    run = TrainedRun.from_checkpoint(state_of(config).to_mapping(), place="a.pt")
    ours = run.generator(Weights.LAST)
    export_published(run, ours, tmp_path)

    hints = PublishedHints(
        label_nc=3, dont_care=True, instance_edges=False, size=(64, 64), upsampling=Upsampling.NORMAL
    )
    published = import_generator(tmp_path / "latest_net_G.pth", hints)
    assert published.config.output_multiplier == 1
    semantics = torch.rand(1, 4, 64, 64).round()
    with torch.inference_mode():
        assert torch.allclose(ours(semantics), published(semantics), atol=1e-6)
    assert not torch.equal(published.to_image.weight, ours.to_image.weight)
