"""What a generator and an encoder are made of. Light: needs no torch, so that the API can read model cards."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from spade.errors import ConfigError
from spade.records import record_from_mapping, record_to_mapping
from spade.semantics_form import check_form, semantic_channels


class Norm(StrEnum):
    """The parameter-free normalization inside a SPADE layer."""

    BATCH = "batch"
    SYNCBATCH = "syncbatch"  # batch statistics shared by all processes in training; the same as BATCH in evaluation
    INSTANCE = "instance"


class Upsampling(StrEnum):
    """How many times the generator doubles its size: 5, 6 or 7 times."""

    NORMAL = "normal"
    MORE = "more"  # one doubling more in the middle
    MOST = "most"  # as MORE, and one more block at half the base channels at the end


class Precision(StrEnum):
    """Of computation; what half precision cannot hold, as sums over pixels or weights that learn, stays float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


DOUBLINGS = {Upsampling.NORMAL: 5, Upsampling.MORE: 6, Upsampling.MOST: 7}
MAX_SIDE_PIXELS = 2**16
MAX_CLASSES = 2**16 - 1
"""Label maps have 16 bits, in which the unknown class comes after the others."""
MAX_CHANNELS = 2**16


def _require_within(section: str, name: str, value: int, most: int) -> None:
    """Raises ConfigError: unless it is 1 to `most`. Files come from anywhere, and numbers of JSON have no end."""
    if not 1 <= value <= most:
        raise ConfigError(f"{section}: {name} is {value!s:.60}; it must be 1 to {most}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorConfig:
    """Architecture of a SPADE generator (Park et al. 2019, arXiv 1903.07291), enough to build it without its weights.

    Raises ConfigError: where values contradict one another, or are beyond all use.
    """

    label_nc: int
    """Number of classes, the unknown ("don't care") class not counted; 0 for a model that reads pictures instead."""
    dont_care: bool
    """Whether pixels of unknown class have a channel of their own, with id `label_nc`."""
    instance_edges: bool
    """Whether the last channel of the semantics marks borders between instances."""
    height: int
    width: int
    """The model's own size in pixels."""
    output_channels: int = 3
    base_channels: int = 64
    """Channels of the last full-width block; the first blocks have 16 times as many."""
    hidden_channels: int = 128
    """Channels between the semantics and gamma, beta in every SPADE layer."""
    latent_dim: int | None = None
    """Length of the latent vector z; None for a generator that starts from the semantics (no VAE)."""
    norm: Norm = Norm.SYNCBATCH
    kernel_size: int = 3
    spectral_norm: bool = True
    upsampling: Upsampling = Upsampling.NORMAL
    output_multiplier: float = 1.0
    """What the last layer says is multiplied by this before tanh. Below 1, as 1/2 for 512 pixels a side and 1/3 for
    1024, it keeps the colours of large pictures from saturating."""

    def __post_init__(self) -> None:
        check_form(self, where="generator")
        if self.label_nc > MAX_CLASSES:
            raise ConfigError(f"generator: label_nc is {self.label_nc!s:.60}; it may be {MAX_CLASSES} at most")
        for name in ("height", "width"):
            _require_within("generator", name, getattr(self, name), MAX_SIDE_PIXELS)
        for name in ("output_channels", "base_channels", "hidden_channels"):
            _require_within("generator", name, getattr(self, name), MAX_CHANNELS)
        if self.latent_dim is not None:
            _require_within("generator", "latent_dim", self.latent_dim, MAX_CHANNELS)
        if self.kernel_size not in (3, 5):
            raise ConfigError(f"generator: kernel_size is {self.kernel_size}; it must be 3 or 5")
        if not 0 < self.output_multiplier <= 1:
            raise ConfigError(
                f"generator: output_multiplier is {self.output_multiplier}; it must be above 0 and at most 1"
            )
        if self.upsampling is Upsampling.MOST and self.base_channels % 2:
            raise ConfigError(
                f"generator: base_channels is {self.base_channels}; upsampling 'most' needs an even number"
            )
        self._check_multiple(self.height, self.width)

    @property
    def semantic_channels(self) -> int:
        """Channels K of the semantics."""
        return semantic_channels(self)

    @property
    def unknown_id(self) -> int | None:
        """The id of unknown pixels, or None where the model has no channel for them."""
        return self.label_nc if self.dont_care else None

    @property
    def size_multiple(self) -> int:
        """Height and width are multiples of this number of pixels."""
        return 1 << DOUBLINGS[self.upsampling]

    def check_size(self, height: int, width: int) -> None:
        """Raises ConfigError: where the generator cannot make pictures of `height` x `width` pixels.

        With a latent the first layer is a matrix of fixed size, so only the model's own size fits.
        """
        if self.latent_dim is not None and (height, width) != (self.height, self.width):
            raise ConfigError(
                f"size {width}x{height}: this model starts from a latent vector and makes only "
                f"{self.width}x{self.height} pictures"
            )
        self._check_multiple(height, width)

    def _check_multiple(self, height: int, width: int) -> None:
        multiple = self.size_multiple
        if height < multiple or width < multiple or height % multiple or width % multiple:
            raise ConfigError(f"size {width}x{height}: width and height must be multiples of {multiple}")
        if self.norm is Norm.INSTANCE and height * width == multiple * multiple:
            # The first features would be one value per channel, of which there is no variance.
            raise ConfigError(
                f"size {width}x{height}: with instance normalization one side must be {2 * multiple} or more"
            )

    def to_dict(self) -> dict[str, Any]:
        """A JSON object; `from_dict` reads it back.

        An output multiplier of 1 is left out, as in files from before there was one, whose digests are known.
        """
        mapping = record_to_mapping(self)
        if self.output_multiplier == 1:
            del mapping["output_multiplier"]
        return mapping

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, where: str = "generator config") -> Self:
        """Raises ConfigError: where a key is missing, unknown, or has a value that does not fit."""
        return record_from_mapping(cls, data, where=where)


ENCODER_SIDE = 256
"""Encoders resize pictures to this many pixels a side, so that their last layer always sees 4 x 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Architecture of an encoder, normalized by instances as the published one is.

    Raises ConfigError: where a number is below 1 or beyond all use.
    """

    latent_dim: int = 256
    base_channels: int = 64
    in_channels: int = 3
    spectral_norm: bool = True

    def __post_init__(self) -> None:
        for name in ("latent_dim", "base_channels", "in_channels"):
            _require_within("encoder", name, getattr(self, name), MAX_CHANNELS)

    def to_dict(self) -> dict[str, Any]:
        """A JSON object; `from_dict` reads it back."""
        return record_to_mapping(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, where: str = "encoder config") -> Self:
        """Raises ConfigError: where a key is missing, unknown, or has a value that does not fit."""
        return record_from_mapping(cls, data, where=where)
