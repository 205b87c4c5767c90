"""Datasets as evaluation reads them: every sample in order, uncropped and not mirrored."""

from collections.abc import Iterator

from torch.utils.data import Dataset

from spade.data.config import DatasetConfig, Phase
from spade.data.dataset import LabelledPictures
from spade.data.errors import DatasetError, PairingError
from spade.data.loading import LoadingConfig, label_batches, picture_batches
from spade.data.samples import LabelBatch, Sample
from spade.data.sampling import EpochSampler


def open_dataset(config: DatasetConfig, phase: Phase, *, pictures: bool = True) -> LabelledPictures:
    """A phase of a dataset. Raises DatasetError: where files are missing or pairs are broken."""
    return LabelledPictures(config, phase, pictures=pictures)


def open_with_or_without_photographs(
    config: DatasetConfig, phase: Phase, *, photographs: bool | None = None
) -> tuple[LabelledPictures, bool]:
    """A phase of a dataset, and whether it has photographs; with `photographs` None that is found out.

    Raises DatasetError: where files are missing, or only some label maps have a photograph.
    """
    if photographs is not None:
        return open_dataset(config, phase, pictures=photographs), photographs
    try:
        return open_dataset(config, phase), True
    except PairingError:
        raise
    except DatasetError:  # there is no folder of photographs, or of label maps, which is then said
        return open_dataset(config, phase, pictures=False), False


def in_order(data: Dataset[Sample], length: int, loading: LoadingConfig, *, pictures: bool) -> Iterator[LabelBatch]:
    """All samples once, in batches, which are TrainingBatches if there are `pictures`."""
    sampler = EpochSampler(length=length, seed=0, epoch=0, shuffle=False)
    yield from (picture_batches if pictures else label_batches)(data, sampler, loading)
