"""Scenes as a torch dataset without end: every epoch draws new ones."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from spade.data.config import DatasetConfig, Phase
from spade.data.errors import DatasetError
from spade.data.samples import Sample, SampleKey
from spade.data.scenes import noise, sprites
from spade.data.scenes.classes import label_ids
from spade.data.scenes.scene import draw_scene
from spade.data.scenes.variant import Variant
from spade.data.transforms import picture_to_floats

VALIDATION_SEEDS = 2**40
"""Scenes for validation have seeds from here on, so that none of them is ever trained on."""

SMALLEST_SIDE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSettings:
    """Which scenes are drawn.

    Raises DatasetError: where a size or number is out of range, or a class has no id.
    """

    height: int
    width: int
    class_ids: Mapping[str, int]
    """Ids of the label maps, by the names of `SCENE_CLASSES`; others are passed over."""
    scenes: int
    """Scenes of one epoch."""
    first_seed: int = 0
    variant: Variant | None = None
    """The same time of day and weather in all; None for all of them in turn by chance."""

    def __post_init__(self) -> None:
        if min(self.height, self.width) < SMALLEST_SIDE:
            raise DatasetError(f"scenes are drawn at {SMALLEST_SIDE} pixels a side or more: {self.width}x{self.height}")
        if self.scenes < 1 or self.first_seed < 0:
            raise DatasetError(f"scenes must be 1 or more, first_seed 0 or more: {self.scenes}, {self.first_seed}")
        label_ids(self.class_ids)


class Scenes(Dataset[Sample]):
    """Landscapes drawn when they are asked for, with their label maps; no files, no instance maps.

    Sample `index` of epoch `epoch` is the scene with seed first_seed + epoch * scenes + index.
    """

    def __init__(self, settings: SceneSettings) -> None:
        self.settings = settings
        self._ids = np.array(label_ids(settings.class_ids), dtype=np.int64)
        noise.draw_all()
        sprites.draw_all()

    @classmethod
    def of(cls, config: DatasetConfig, phase: Phase, *, seed: int = 0) -> "Scenes":
        """The scenes of a configuration of mode `scenes`.

        For validation a tenth as many, always the same ones, and none that training draws. `max_dataset_size` bounds
        each phase.
        """
        if config.size is None:
            raise DatasetError(f"scenes need one size: choose preprocess fixed, not {config.preprocess}")
        height, width = config.size
        validates = phase is Phase.VAL
        count = max(1, config.scenes // 10) if validates else config.scenes
        count = min(count, config.max_dataset_size or count)
        first_seed = VALIDATION_SEEDS if validates else seed * count
        class_ids = {name: number for number, name in enumerate(config.class_names)}
        return cls(SceneSettings(height=height, width=width, class_ids=class_ids, scenes=count, first_seed=first_seed))

    def __len__(self) -> int:
        return self.settings.scenes

    def fingerprint(self) -> str:
        """Tells scenes, which are drawn anew all the time, from datasets of files."""
        return "scenes"

    def work(self) -> None:
        """How much training takes of each scene is not known before it is drawn."""

    def __getitem__(self, key: SampleKey) -> Sample:
        settings = self.settings
        seed = settings.first_seed + key.epoch * settings.scenes + key.index
        scene = draw_scene(seed, height=settings.height, width=settings.width, variant=settings.variant)
        return Sample(
            labels=self._ids[scene.labels],
            instances=None,
            picture=picture_to_floats(scene.picture),
            name=f"scene_{seed:012d}",
        )
