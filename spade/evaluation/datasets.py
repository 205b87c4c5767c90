"""Datasets as evaluation reads them: every sample in order, uncropped and not mirrored."""

from spade.data.config import DatasetConfig, Phase
from spade.data.dataset import LabelledPictures


def open_dataset(config: DatasetConfig, phase: Phase, *, pictures: bool = True) -> LabelledPictures:
    """A phase of a dataset. Raises DatasetError: where files are missing or pairs are broken."""
    return LabelledPictures(config, phase, pictures=pictures)
