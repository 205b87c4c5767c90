"""placeholder: replaced by the data branch"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBatch:
    labels: Tensor
    instances: Tensor | None
    pictures: Tensor
    names: tuple[str, ...]
