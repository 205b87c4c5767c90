"""The networks that are trained together, and how their weights start."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from torch import Tensor, nn
from torch.nn.utils import parametrize

from spade.config import EncoderConfig, GeneratorConfig
from spade.discriminator import DiscriminatorConfig, MultiscaleDiscriminator
from spade.encoder import ImageEncoder
from spade.errors import ConfigError
from spade.generator import SpadeGenerator
from spade.pix2pixhd import Pix2PixHDConfig, Pix2PixHDGenerator

Generator = SpadeGenerator | Pix2PixHDGenerator


class Init(StrEnum):
    """The distribution of first weights. Biases start at zero, but for NONE."""

    NORMAL = "normal"  # of deviation `gain`
    XAVIER = "xavier"  # normal, times `gain` (Glorot and Bengio 2010)
    XAVIER_UNIFORM = "xavier_uniform"  # times `gain`
    KAIMING = "kaiming"  # normal, whatever `gain` is (He et al. 2015, arXiv 1502.01852)
    ORTHOGONAL = "orthogonal"  # times `gain` (Saxe et al. 2014, arXiv 1312.6120)
    NONE = "none"  # as torch makes them


_DISTRIBUTIONS: Mapping[Init, Callable[[Tensor, float], object]] = MappingProxyType(
    {
        Init.NORMAL: lambda weight, gain: nn.init.normal_(weight, std=gain),
        Init.XAVIER: lambda weight, gain: nn.init.xavier_normal_(weight, gain=gain),
        Init.XAVIER_UNIFORM: lambda weight, gain: nn.init.xavier_uniform_(weight, gain=gain),
        Init.KAIMING: lambda weight, _: nn.init.kaiming_normal_(weight),
        Init.ORTHOGONAL: lambda weight, gain: nn.init.orthogonal_(weight, gain=gain),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitConfig:
    """How weights start.

    Raises ConfigError: where the gain is not above 0.
    """

    kind: Init = Init.XAVIER
    gain: float = 0.02
    compatible: bool = True
    """Leave spectrally normalized weights as torch makes them. The published training did, because it moved networks to
    the GPU before initializing them; with the small gain there too, Adam's first steps are 30 times too large."""

    def __post_init__(self) -> None:
        if not self.gain > 0:
            raise ConfigError(f"init: gain is {self.gain}; it must be above 0")


@dataclass(slots=True)
class Networks:
    """Generator, discriminator and, for the VAE variant, encoder."""

    generator: Generator
    discriminator: MultiscaleDiscriminator
    encoder: ImageEncoder | None = None

    def named(self) -> Iterator[tuple[str, nn.Module]]:
        """`generator`, `discriminator` and, where there is one, `encoder`."""
        yield "generator", self.generator
        yield "discriminator", self.discriminator
        if self.encoder is not None:
            yield "encoder", self.encoder

    def modules(self) -> Iterator[nn.Module]:
        for _, module in self.named():
            yield module

    def generator_parameters(self) -> list[nn.Parameter]:
        """What the generator's step changes: generator and encoder."""
        encoder = [] if self.encoder is None else list(self.encoder.parameters())
        return [*self.generator.parameters(), *encoder]

    def train(self) -> None:
        for module in self.modules():
            module.train()


def build_networks(
    generator: GeneratorConfig | Pix2PixHDConfig,
    discriminator: DiscriminatorConfig,
    encoder: EncoderConfig | None,
    init: InitConfig,
) -> Networks:
    """Fresh networks, on the CPU, from torch's global random state."""
    networks = Networks(
        generator=(
            SpadeGenerator(generator) if isinstance(generator, GeneratorConfig) else Pix2PixHDGenerator(generator)
        ),
        discriminator=MultiscaleDiscriminator(discriminator),
        encoder=None if encoder is None else ImageEncoder(encoder),
    )
    for module in networks.modules():
        initialize(module, init)
    return networks


def initialize(network: nn.Module, init: InitConfig) -> None:
    """Start the weights of all convolutions and linear layers of `network`."""
    if init.kind is Init.NONE:
        return
    draw = _DISTRIBUTIONS[init.kind]
    for module in network.modules():
        if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
        if not parametrize.is_parametrized(module):
            draw(module.weight, init.gain)
        elif not init.compatible:
            draw(_original_weight(module), init.gain)


def _original_weight(module: nn.Module) -> Tensor:
    original = module.parametrizations["weight"].original  # type: ignore[index,union-attr]
    assert isinstance(original, Tensor)
    return original
