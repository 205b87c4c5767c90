"""Sample sheets: what the generator makes of the same few label maps as training goes on.

H W pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.utils.data import Dataset

from spade.data.config import DatasetConfig
from spade.data.samples import Sample, SampleKey, collate_training
from spade.data.shown import shown_input
from spade.engine.engine import Engine
from spade.files import written_whole
from spade.generator import SpadeGenerator
from spade.palettes import GAUGAN_COLORS, class_colors
from spade.plain import PlainPictures
from spade.semantics_form import reads_pictures
from spade.synthesis import latent_from_seed, to_pixels
from spade.training.config import TrainingConfig
from spade.training.networks import Generator
from spade.training.state import RunState

_CAPTION_PIXELS = 18
_GAP_PIXELS = 4


class SampleSheets:
    """Draws PNG files `step-<step>.png` into a folder; a row each of evenly spread samples of a dataset."""

    def __init__(self, folder: Path, dataset: Dataset[Sample], length: int, config: TrainingConfig) -> None:
        self._folder = folder
        self._dataset = dataset
        self._config = config
        self._colors = colors_of(config.dataset)
        self._input_name = "input" if reads_pictures(config.dataset) else "label map"
        rows = min(config.intervals.sample_pictures, length)
        self._keys = [SampleKey(0, length * row // rows) for row in range(rows)]

    def draw(self, state: RunState, average: Generator | None) -> Path:
        """Draws a sheet of input, generated, real, and where there is an `average` what that generates.

        Raises DatasetError: where a sample cannot be read.
        """
        generators = {"generated": state.networks.generator.eval()}
        if average is not None:
            generators["average"] = average
        makers = {name: picture_maker(generator) for name, generator in generators.items()}
        rows = []
        for number, key in enumerate(self._keys):
            batch = collate_training([self._dataset[key]])
            z = self._latent(number)
            made = {
                name: to_pixels(maker.pictures(batch.labels, batch.instances, z))[0] for name, maker in makers.items()
            }
            columns = {self._input_name: shown_input(batch.labels[0].numpy(), self._colors)}
            columns |= {"generated": made.pop("generated"), "real": to_pixels(batch.pictures)[0]} | made
            rows.append(columns)
        path = self._folder / f"step-{state.position.step:09}.png"
        with written_whole(path, durable=False) as partial:
            draw_sheet(rows).save(partial, format="PNG")
        return path

    def _latent(self, seed: int) -> Tensor | None:
        latent_dim = self._config.generator.latent_dim
        return None if latent_dim is None else latent_from_seed(seed, latent_dim)[None]


def picture_maker(generator: Generator) -> Engine | PlainPictures:
    """What makes pictures with the weights that a generator has now, on its device."""
    device = next(generator.parameters()).device
    if isinstance(generator, SpadeGenerator) and not reads_pictures(generator.config):
        return Engine.from_generator(generator, device=device)
    return PlainPictures(generator, device=device)


def colors_of(dataset: DatasetConfig) -> dict[int, int]:
    """A colour for each class, unlike any other: the one of painters, if they know all classes. Unknown is black."""
    colors = class_colors(dataset.label_nc)
    if dataset.class_names and all(name in GAUGAN_COLORS for name in dataset.class_names):
        colors = {number: GAUGAN_COLORS[name] for number, name in enumerate(dataset.class_names)}
    return colors if dataset.unknown_id is None else colors | {dataset.unknown_id: 0}


def draw_sheet(rows: Sequence[dict[str, NDArray[np.uint8]]]) -> Image.Image:
    """Pictures (H, W, 3) below one another with the names of their columns on top."""
    widths = [max(row[name].shape[1] for row in rows) + _GAP_PIXELS for name in rows[0]]
    heights = [max(picture.shape[0] for picture in row.values()) + _GAP_PIXELS for row in rows]
    sheet = Image.new("RGB", (sum(widths), sum(heights) + _CAPTION_PIXELS), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_CAPTION_PIXELS - 6)
    left = 0
    for name, width in zip(rows[0], widths, strict=True):
        pen.text((left + 2, 1), name, fill="black", font=font)
        top = _CAPTION_PIXELS
        for row, height in zip(rows, heights, strict=True):
            sheet.paste(Image.fromarray(np.ascontiguousarray(row[name])), (left, top))
            top += height
        left += width
    return sheet
