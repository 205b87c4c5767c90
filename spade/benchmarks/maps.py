"""Label maps to measure the engine with: of a dataset, or drawn.

H W pixels.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from spade.config import GeneratorConfig
from spade.data.config import Phase
from spade.data.opening import open_dataset
from spade.data.presets import Preset
from spade.data.samples import SampleKey


class MapKind(StrEnum):
    """What drawn maps look like."""

    PAINTED = "painted"  # a dozen large regions with wavy borders
    RANDOM = "random"  # every pixel any class: no window repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchMap:
    """A label map as the engine takes it."""

    name: str
    labels: Tensor
    """(1, H, W) int64"""
    instances: Tensor | None
    """(1, H, W) integers, or None for the borders between classes"""


def maps_of_dataset(preset: Preset, count: int) -> list[BenchMap]:
    """The first `count` validation samples. Raises DatasetError."""
    dataset = open_dataset(preset.dataset, Phase.VAL)
    samples = (dataset[SampleKey(0, index)] for index in range(len(dataset)))
    return [
        BenchMap(
            name=Path(sample.name).stem,
            labels=torch.from_numpy(sample.labels)[None],
            instances=None if sample.instances is None else torch.from_numpy(sample.instances)[None],
        )
        for sample in islice(samples, count)
    ]


def drawn_maps(kind: MapKind, config: GeneratorConfig, count: int) -> list[BenchMap]:
    """`count` maps of the model's size, the same each time."""
    draw = {MapKind.PAINTED: _painted, MapKind.RANDOM: _random}[kind]
    return [
        BenchMap(name=f"{kind} {number}", labels=draw(config, number)[None], instances=None)
        for number in range(1, count + 1)
    ]


def _random(config: GeneratorConfig, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(config.label_nc, (config.height, config.width), generator=random)


def _painted(config: GeneratorConfig, seed: int, regions: int = 12) -> Tensor:
    """Each pixel has the class of the nearest of some points, after it was moved by a slow wave."""
    random = torch.Generator().manual_seed(seed)
    rows = torch.arange(config.height).unsqueeze(1) / config.height
    columns = torch.arange(config.width).unsqueeze(0) / config.width
    wave = torch.rand(4, generator=random)
    y = rows + 0.04 * torch.sin(18 * columns + 6 * wave[0]) + 0.02 * torch.sin(47 * columns + 6 * wave[1])
    x = columns + 0.04 * torch.sin(16 * rows + 6 * wave[2]) + 0.02 * torch.sin(53 * rows + 6 * wave[3])
    points = torch.rand(regions, 2, generator=random)
    classes = torch.randint(config.label_nc, (regions,), generator=random)
    distances = [(y - point[0]).square() + (x - point[1]).square() for point in points]
    return classes[torch.stack(distances).argmin(dim=0)]
