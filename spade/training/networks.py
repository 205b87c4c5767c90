"""The networks that are trained together, and how their weights start."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.utils import parametrize

from spade.config import GeneratorConfig
from spade.discriminator import DiscriminatorConfig, MultiscaleDiscriminator
from spade.encoder import EncoderConfig, ImageEncoder
from spade.generator import SpadeGenerator
from spade.pix2pixhd import Pix2PixHDConfig, Pix2PixHDGenerator

Generator = SpadeGenerator | Pix2PixHDGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class InitConfig:
    """How weights start: Xavier's normal distribution times `gain` (Glorot and Bengio 2010), biases zero."""

    gain: float = 0.02
    compatible: bool = True
    """Leave spectrally normalized weights as torch makes them. The published training did, because it moved networks to
    the GPU before initializing them; with the small gain there too, Adam's first steps are 30 times too large."""


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
    for module in network.modules():
        if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
        if not parametrize.is_parametrized(module):
            nn.init.xavier_normal_(module.weight, gain=init.gain)
        elif not init.compatible:
            nn.init.xavier_normal_(_original_weight(module), gain=init.gain)


def _original_weight(module: nn.Module) -> Tensor:
    original = module.parametrizations["weight"].original  # type: ignore[index,union-attr]
    assert isinstance(original, Tensor)
    return original
