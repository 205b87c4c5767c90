"""A dataset from its configuration, whichever mode it is of."""

from spade.data.config import DatasetConfig, Mode, Phase
from spade.data.dataset import LabelledPictures
from spade.data.scenes.dataset import Scenes


def open_dataset(
    config: DatasetConfig, phase: Phase, *, seed: int = 0, pictures: bool = True
) -> LabelledPictures | Scenes:
    """The samples of a phase, indexed by SampleKey. `pictures` False reads label maps only, as for testing.

    Raises DatasetError: where files are missing or pairs are broken.
    """
    if config.mode is Mode.SCENES:
        return Scenes.of(config, phase, seed=seed)
    return LabelledPictures(config, phase, seed=seed, pictures=pictures)
