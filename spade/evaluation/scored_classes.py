"""Which ids of a dataset are classes to be told apart and scored. Light: needs no torch."""

from dataclasses import dataclass

from spade.data.config import DatasetConfig
from spade.semantics_form import require_classes


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredClasses:
    """Ids 0..count-1 are classes; `ignored_id` is neither learnt nor scored."""

    count: int
    ignored_id: int | None
    names: tuple[str, ...] = ()

    @property
    def titles(self) -> tuple[str, ...]:
        """Their names in the order of the ids, or the ids where names are not known."""
        return self.names or tuple(map(str, range(self.count)))


def scored_classes(dataset: DatasetConfig) -> ScoredClasses:
    """The classes of a dataset. With ADE20K's ids as they are, id 0 is unknown and ids 1 to 150 are the classes.

    Raises ConfigError: where the input is pictures.
    """
    require_classes(dataset, "scores of classes")
    unknown = dataset.unknown_id
    if unknown is not None and unknown < dataset.label_nc:
        return ScoredClasses(count=dataset.label_nc + dataset.dont_care, ignored_id=unknown)
    return ScoredClasses(count=dataset.label_nc, ignored_id=unknown, names=dataset.class_names)
