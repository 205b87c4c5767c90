"""Datasets as evaluation reads them: every sample in order, uncropped and not mirrored."""

from collections.abc import Iterator

from spade.data.config import DatasetConfig, Phase
from spade.data.dataset import LabelledPictures
from spade.data.errors import DatasetError, PairingError
from spade.data.loading import LoadingConfig, label_batches, picture_batches
from spade.data.opening import open_dataset
from spade.data.samples import LabelBatch
from spade.data.sampling import EpochSampler
from spade.data.scenes.dataset import Scenes

Data = LabelledPictures | Scenes


def open_with_or_without_photographs(
    config: DatasetConfig, phase: Phase, *, photographs: bool | None = None
) -> tuple[Data, bool]:
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


def names_of(data: Data) -> tuple[str, ...]:
    """The names of its samples, in order, without reading them."""
    if isinstance(data, Scenes):
        first = data.settings.first_seed
        return tuple(f"scene_{seed:012d}" for seed in range(first, first + len(data)))
    return tuple(files.name for files in data.files)


def in_order(data: Data, loading: LoadingConfig, *, pictures: bool) -> Iterator[LabelBatch]:
    """All samples once, in batches, which are TrainingBatches if there are `pictures`."""
    sampler = EpochSampler(length=len(data), seed=0, epoch=0, shuffle=False)
    yield from (picture_batches if pictures else label_batches)(data, sampler, loading)
