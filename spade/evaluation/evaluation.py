"""One pass over reference photographs and one over generated pictures, which all judges look at. Memory is bounded.

B batch, H W pixels.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spade.data.loading import LoadingConfig
from spade.data.samples import LabelBatch, TrainingBatch
from spade.data.transforms import picture_to_floats
from spade.errors import ConfigError
from spade.evaluation.judged_model import JudgedModel
from spade.evaluation.judges import Batch, Judge, Pairs
from spade.evaluation.picture_folder import PictureFolder, file_stem
from spade.evaluation.reference import DatasetReference, Reference
from spade.evaluation.report import LeftOut, Metric
from spade.evaluation.synthesized import SynthesizedBatch, synthesized

OF_ANOTHER_STYLE = 2**31
"""From a picture's seed to that of the other picture of its map, which no picture of the set has. Of a seed, the
generator of random numbers reads 32 bits."""


def judged(
    judges: Sequence[Judge],
    reference: Iterable[Tensor],
    generated: Iterable[Batch],
    *,
    device: torch.device,
    on_pictures: Callable[[int], None],
) -> tuple[tuple[Metric, ...], tuple[LeftOut, ...]]:
    """What the judges say; `reference` are photographs (B, 3, H, W). `on_pictures` is told how many were looked at.

    Raises ConfigError: where there are too few pictures. Whatever reading them raises.
    """
    # On CUDA, float32 proper: TF32, the default, would show in the numbers.
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        for photographs in reference:
            on_device = photographs.to(device)
            for judge in judges:
                judge.see_reference(on_device)
            on_pictures(len(photographs))
        for batch in generated:
            moved = _moved(batch, device)
            for judge in judges:
                judge.see(moved)
            on_pictures(len(batch.names))
    results = [result for judge in judges for result in judge.results()]
    metrics = tuple(result for result in results if isinstance(result, Metric))
    return metrics, tuple(result for result in results if isinstance(result, LeftOut))


def photographs_of(reference: Reference, loading: LoadingConfig) -> Iterator[Tensor]:
    """The photographs of a reference that has them."""
    for batch in reference.batches(loading):
        assert batch.photographs is not None
        yield batch.photographs


def from_folder(
    folder: PictureFolder, reference: Reference, loading: LoadingConfig, *, height: int, width: int, resize: bool
) -> Iterator[Batch]:
    """The pictures of a folder with what the reference has of the same names.

    Where the reference is a folder too and names differ, they come on their own.
    """
    if not reference.is_dataset and {*map(file_stem, reference.names)} != {*folder.names}:
        for start in range(0, len(folder.names), loading.batch_size):
            names = folder.names[start : start + loading.batch_size]
            yield Batch(names=names, generated=folder.read(names, height, width, resize=resize))
        return
    for batch in reference.batches(loading):
        yield Batch(
            names=batch.names,
            generated=folder.read(batch.names, height, width, resize=resize),
            photographs=batch.photographs,
            labels=None if batch.source is None or reference.classes is None else batch.source.labels,
        )


def from_model(
    model: JudgedModel, reference: DatasetReference, loading: LoadingConfig, *, seed: int, pairs: Container[Pairs]
) -> Iterator[Batch]:
    """A model's pictures of the reference's label maps, as bytes would hold them, and what `pairs` need besides."""
    for made in synthesized(model.synthesizer, reference.label_batches(loading), seed=seed):
        yield Batch(
            names=made.source.names,
            generated=pictures_to_floats(made.pictures),
            photographs=_photographs(made.source),
            labels=None if reference.classes is None else made.source.labels,
            restyled=_restyled(model, made) if Pairs.DIVERSITY in pairs else None,
            reconstructed=_reconstructed(model, made) if Pairs.RECONSTRUCTION in pairs else None,
        )


def _restyled(model: JudgedModel, made: SynthesizedBatch) -> Tensor:
    return pictures_to_floats(
        model.synthesizer.synthesize(*made.maps, [seed + OF_ANOTHER_STYLE for seed in made.seeds])
    )


def _reconstructed(model: JudgedModel, made: SynthesizedBatch) -> Tensor | None:
    photographs = _photographs(made.source)
    if photographs is None or model.encoder is None:
        return None
    with torch.inference_mode():
        means, _ = model.encoder(photographs)
    return pictures_to_floats(model.synthesizer.synthesize(*made.maps, made.seeds, [*means]))


def _photographs(source: LabelBatch) -> Tensor | None:
    return source.pictures if isinstance(source, TrainingBatch) else None


def pictures_to_floats(pictures: NDArray[np.uint8]) -> Tensor:
    """(B, H, W, 3) bytes to (B, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.stack([picture_to_floats(picture) for picture in pictures]))


def require_any(found: Sequence[object], left_out: Sequence[LeftOut]) -> None:
    """Raises ConfigError: where nothing was, or can be, measured; with all reasons."""
    if not found:
        reasons = "; ".join(dict.fromkeys(f"{one.title}: {one.reason}" for one in left_out))
        raise ConfigError(f"nothing can be measured. {reasons}")


def _moved(batch: Batch, device: torch.device) -> Batch:
    def moved(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(device)

    return Batch(
        names=batch.names,
        generated=batch.generated.to(device),
        photographs=moved(batch.photographs),
        labels=moved(batch.labels),
        restyled=moved(batch.restyled),
        reconstructed=moved(batch.reconstructed),
    )
