"""What an evaluation came to, with all that is needed to repeat it. Light: needs no torch."""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spade.files import written_whole
from spade.records import record_to_mapping


def installed_versions() -> dict[str, str]:
    """Versions of what computes."""
    packages = ("spade-serving", "torch", "torchmetrics", "numpy", "pillow")
    return {"python": platform.python_version()} | {package: version(package) for package in packages}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number, and how it came about."""

    name: str
    """For programs, as in fid or fid_segmenter."""
    title: str
    """For people, as in `FID` or `FID (segmenter features)`."""
    value: float
    higher_is_better: bool
    percent: bool = False
    """Whether people read it in percent."""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The value for people."""
        if self.percent:
            return f"{self.value:.1%}"
        return f"{self.value:.2f}" if abs(self.value) >= 1 else f"{self.value:.4f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A metric that was not computed, and why."""

    title: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A file of weights that took part."""

    role: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """One side of the comparison."""

    source: str
    """Folder, dataset or model."""
    count: int
    split: str | None = None
    """The phase of the dataset: train or val."""
    resize: str | None = None
    """The filter that brought pictures to the size; None where they had it."""
    seed: int | None = None
    """Of the first picture of a model, if it draws at random; the others follow in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """All that moves the numbers, besides the pictures themselves."""

    generated: Pictures
    reference: Pictures
    """Photographs of the same label maps, where there are label maps."""
    distribution_reference: Pictures | None
    """Photographs whose features FID and KID compare with."""
    width: int
    height: int
    """Size in pixels at which all is compared."""
    label_resize: str = "nearest"
    inception_resize: str | None = None
    """The filter to Inception's 299x299, if it took part."""
    ignored_id: int | None = None
    """Id of label maps whose pixels are not scored."""
    definitions: Mapping[str, str] = field(default_factory=dict)
    weights: tuple[Weights, ...] = ()
    device: str = "cpu"
    batch_size: int = 1
    kid_seed: int = 0
    """Of the subsets that KID draws."""
    versions: Mapping[str, str] = field(default_factory=installed_versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Metrics, what was left out, and the protocol."""

    metrics: tuple[Metric, ...]
    left_out: tuple[LeftOut, ...]
    protocol: Protocol

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(record_to_mapping(self), indent=2, ensure_ascii=False) + "\n"

    def write(self, path: Path) -> None:
        """Writes the JSON object at one stroke. Raises OSError."""
        with written_whole(path) as partial:
            partial.write_text(self.to_json(), encoding="utf-8")
