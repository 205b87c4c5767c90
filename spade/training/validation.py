"""What a run's pictures of validation samples are worth while it goes on.

B batch, H W pixels.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from spade.data.config import DatasetConfig, Phase
from spade.data.loading import LoadingConfig
from spade.errors import CheckpointError, ConfigError
from spade.evaluation.dataset_options import at_size
from spade.evaluation.evaluation import judged, photographs_of, pictures_to_floats
from spade.evaluation.judges import Batch
from spade.evaluation.judging import JudgeFiles, Judging
from spade.evaluation.kernel_distance import KernelSubsets
from spade.evaluation.reference import DatasetReference
from spade.synthesis import latent_from_seed, to_pixels
from spade.training.networks import Generator
from spade.training.samples import picture_maker
from spade.training.validation_config import ValidationConfig
from spade.weights import file_digest

DISTANCE = "fid_segmenter"
"""The metric by which looks are compared, as `spade evaluate` names it."""


class Validation:
    """The validation samples, and who looks at the pictures that are made of them.

    Raises DatasetError: where there are no such samples. ConfigError: where the segmenter cannot be used, or samples
    have no photographs, are fewer than two, or are those that are learned from.
    """

    def __init__(
        self, config: ValidationConfig, dataset: DatasetConfig, *, height: int, width: int, device: torch.device
    ) -> None:
        """Pictures are `height` x `width` pixels; the segmenter looks at them on `device`."""
        self._files = JudgeFiles(segmenter=Path(config.segmenter))
        self._device = device
        if dataset.label_dir is not None:
            raise ConfigError(
                "validation: dataset.label_dir and image_dir name the samples that are learned from; "
                "give dataset.root, which has others in val_label and val_img"
            )
        shown = replace(dataset, max_dataset_size=config.samples, **at_size(height, width))
        self._reference = DatasetReference(shown, Phase.VAL)
        if not self._reference.has_photographs:
            raise ConfigError("validation: the validation samples have no photographs to be compared with")
        if len(self._reference.names) < 2:
            raise ConfigError("validation: there is 1 validation sample; looks compare 2 or more")
        try:
            self._judging()  # what is wrong with the segmenter shows before the first step
            judge = file_digest(self._files.segmenter or Path()).sha256
        except CheckpointError as error:
            raise ConfigError(f"validation: {error}") from error
        names = hashlib.sha256("\n".join(self._reference.names).encode()).hexdigest()
        self.terms = f"{width}x{height}, samples {names}, segmenter {judge}"
        """What two looks have in common that can be compared."""

    def look(self, generator: Generator) -> Mapping[str, float]:
        """The metrics of `spade evaluate` by name, `DISTANCE` among them, for a generator in evaluation mode.

        The latent of a sample is the same each time.

        Raises DatasetError: where a sample cannot be read.
        """
        loading = LoadingConfig(batch_size=1)
        metrics, _ = judged(
            self._judging().judges,
            photographs_of(self._reference, loading),
            self._generated(generator, loading),
            device=self._device,
            on_pictures=lambda _: None,
        )
        return {metric.name: metric.value for metric in metrics}

    def _judging(self) -> Judging:
        return Judging(self._files, classes=self._reference.classes, kid=KernelSubsets(), device=self._device)

    def _generated(self, generator: Generator, loading: LoadingConfig) -> Iterator[Batch]:
        maker = picture_maker(generator)
        latent_dim = getattr(generator.config, "latent_dim", None)
        for seed, batch in enumerate(self._reference.label_batches(loading)):
            z = None if latent_dim is None else latent_from_seed(seed, latent_dim)[None]
            pictures = to_pixels(maker.pictures(batch.labels, batch.instances, z))
            yield Batch(names=batch.names, generated=pictures_to_floats(pictures), labels=batch.labels)
