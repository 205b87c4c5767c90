"""What semantics are made from, and which channels they have. Light: needs no torch.

Most models read label maps: one channel for each class. With `label_nc` 0 there are no classes: the input is a picture,
and its colours are the channels, as in translation from pictures to pictures.
"""

from typing import Protocol

from spade.errors import ConfigError

PICTURE_CHANNELS = 3
"""Red, green and blue."""


class SemanticsForm(Protocol):
    """Which channels the semantics have; every generator's and every dataset's config says so."""

    @property
    def label_nc(self) -> int: ...
    @property
    def dont_care(self) -> bool: ...
    @property
    def instance_edges(self) -> bool: ...


def reads_pictures(form: SemanticsForm) -> bool:
    """Whether semantics are made from a picture rather than from class ids."""
    return form.label_nc == 0


def semantic_channels(form: SemanticsForm) -> int:
    """Channels K of the semantics: classes, then unknown, or else those of a picture; then instance edges."""
    channels = PICTURE_CHANNELS if reads_pictures(form) else form.label_nc + form.dont_care
    return channels + form.instance_edges


def check_form(form: SemanticsForm, *, where: str) -> None:
    """Raises ConfigError: where the values, of the section `where`, contradict one another."""
    if form.label_nc < 0:
        raise ConfigError(f"{where}: label_nc is {form.label_nc}; it must be at least 1, or 0 for pictures as input")
    if reads_pictures(form) and form.dont_care:
        raise ConfigError(f"{where}: label_nc is 0, for pictures as input, which have no unknown class: no dont_care")


def require_classes(form: SemanticsForm, what: str) -> None:
    """Raises ConfigError: where the input is pictures, of which `what`, as in `ONNX files`, know nothing."""
    if reads_pictures(form):
        raise ConfigError(f"{what} need class ids, but this model reads pictures (label_nc 0)")
