"""The engine: pictures of a generator from label maps, with everything done once that can be done once.

B batch, H W pixels.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.activations import LEAKY_SLOPE
from spade.blocks import SpadeBlock
from spade.config import GeneratorConfig, Precision, Upsampling
from spade.engine.cache import ModulationCache
from spade.engine.config import EngineConfig
from spade.engine.convolutions import arranged_convolution
from spade.engine.layers import Build, EngineBlock, Fuse, Maps, fuse, fuse_for_compiler
from spade.engine.maps import DistinctMaps
from spade.engine.modulation import Modulation, Modulator
from spade.engine.start import LatentStart, SemanticStart
from spade.errors import ConfigError, DeviceError
from spade.generator import SpadeGenerator
from spade.semantics_form import require_classes

_CPP_COMPILERS = ("g++", "clang++", "cl")
_DTYPES = {
    Precision.FLOAT32: torch.float32,
    Precision.BFLOAT16: torch.bfloat16,
    Precision.FLOAT16: torch.float16,
}


class Engine:
    """Makes the pictures that a generator makes in evaluation mode, to rounding, in a fraction of the time.

    Three quarters of the generator's work is to make scale and shift of the SPADE layers, which depend on the label
    map and the weights alone. The engine computes them once for each distinct window of a map, and keeps them for more
    pictures of it; weights are folded and arranged when it is built. What else is in a batch makes no difference.

    Its weights are copies: the generator may go. One thread at a time may ask it for pictures.

    Raises ConfigError: where the generator reads pictures, which have no windows of classes.
    """

    def __init__(
        self,
        generator: SpadeGenerator,
        *,
        device: torch.device,
        config: EngineConfig,
        cache: ModulationCache | None = None,
    ) -> None:
        require_classes(generator.config, "the engine's tables")
        self.config: GeneratorConfig = generator.config
        self.device = device
        self._engine_config = config
        self._cache = ModulationCache(config.cache_bytes) if cache is None else cache
        self._build = Build(
            config=generator.config,
            dtype=_DTYPES[config.precision],
            device=device,
            fuse=_compiled_fuse(device) if config.compile else fuse,
        )
        self._take_weights(generator)

    @classmethod
    def from_generator(
        cls,
        generator: SpadeGenerator,
        *,
        device: torch.device | str = "cpu",
        config: EngineConfig | None = None,
        cache: ModulationCache | None = None,
    ) -> Self:
        """An engine with the weights of `generator`, which goes to evaluation mode; engines may share a `cache`."""
        return cls(generator.eval(), device=torch.device(device), config=config or EngineConfig(), cache=cache)

    @torch.inference_mode()
    def pictures(self, labels: Tensor, instances: Tensor | None = None, z: Tensor | None = None) -> Tensor:
        """Pictures (B, output_channels, H, W) float32 in [-1, 1].

        `labels` (B, H, W) integer ids 0..label_nc-1 and label_nc for unknown; `instances` (B, H, W) integers, or None
        for the borders between classes; `z` (B, latent_dim), standard normal, where the generator has a latent.

        Raises ConfigError: where sizes, ids or latents do not fit the generator.
        """
        self._check(labels, instances, z)
        with _exact_convolutions():
            return self._pictures(labels, instances, z)

    def _pictures(self, labels: Tensor, instances: Tensor | None, z: Tensor | None) -> Tensor:
        distinct = DistinctMaps(labels, instances, self.config, self.device)
        maps = Maps(
            of_item=distinct.of_item,
            modulation=lambda layer, height, width: self._modulation(distinct, layer, height, width),
        )
        x = self._first_features(distinct, z, *labels.shape[1:])
        for block in self._blocks:
            x = block(x, maps)
        colours = self._to_image(functional.leaky_relu_(x, LEAKY_SLOPE))
        return torch.tanh_(colours.float().mul_(self.config.output_multiplier)).permute(0, 3, 1, 2)

    def _take_weights(self, generator: SpadeGenerator) -> None:
        config, build = self.config, self._build
        height, width = config.height // config.size_multiple, config.width // config.size_multiple
        start: nn.Module = generator.start
        self._start: SemanticStart | LatentStart
        if isinstance(start, nn.Linear):
            self._start = LatentStart(start, build, height=height, width=width)
        else:
            assert isinstance(start, nn.Conv2d)
            self._start = SemanticStart(start, build)
        self._blocks = []
        for block, doubled, tiled in _stages(generator):
            height, width = height << doubled, width << doubled
            self._blocks.append(EngineBlock(block, build, doubled=doubled, height=height, width=width, tiled=tiled))
        self._to_image = arranged_convolution(*build.folded(generator.to_image), height=height, width=width)

    def _check(self, labels: Tensor, instances: Tensor | None, z: Tensor | None) -> None:
        if labels.dim() != 3 or len(labels) == 0:
            raise ConfigError(f"label maps: {tuple(labels.shape)} given; they must be (B, H, W), B at least 1")
        if instances is not None and instances.shape != labels.shape:
            raise ConfigError(f"instance maps: {tuple(instances.shape)} given with labels {tuple(labels.shape)}")
        self.config.check_size(*labels.shape[1:])
        wanted = None if self.config.latent_dim is None else (len(labels), self.config.latent_dim)
        given = None if z is None else tuple(z.shape)
        if given != wanted:
            raise ConfigError(f"latent vectors: {given or 'none'} given; this generator needs {wanted or 'none'}")

    def _first_features(self, maps: DistinctMaps, z: Tensor | None, height: int, width: int) -> Tensor:
        if isinstance(self._start, LatentStart):
            assert z is not None
            return self._start(z)
        return self._start(maps, height // self.config.size_multiple, width // self.config.size_multiple)

    def _modulation(self, maps: DistinctMaps, layer: Modulator, height: int, width: int) -> Modulation:
        def make() -> Modulation:
            windows = maps.windows(height, width, self.config.kernel_size)
            return layer.modulation(windows, most_bytes=self._engine_config.table_bytes)

        return self._cache.get(maps.key, layer, make)


@contextmanager
def _exact_convolutions() -> Iterator[None]:
    """On CUDA, float32 convolutions proper: the default, TF32, keeps 10 bits of the mantissa. Nothing elsewhere."""
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield


def _compiled_fuse(device: torch.device) -> Fuse:
    """Raises DeviceError: where there is no compiler, which would show at the first picture only."""
    if device.type == "cpu" and not any(map(shutil.which, _CPP_COMPILERS)):
        raise DeviceError(
            f"compile: on a CPU torch needs one of {', '.join(_CPP_COMPILERS)}; install one or leave it out"
        )
    return torch.compile(fuse_for_compiler, dynamic=True)


def _stages(generator: SpadeGenerator) -> list[tuple[SpadeBlock, bool, bool]]:
    """The blocks in their order, whether features are doubled before each, and whether it is large enough for tiles."""
    more = generator.config.upsampling is not Upsampling.NORMAL
    stages = [(generator.head, False, False), (generator.middle_0, True, False), (generator.middle_1, more, False)]
    stages += [(block, True, True) for block in (generator.up_0, generator.up_1, generator.up_2, generator.up_3)]
    if generator.config.upsampling is Upsampling.MOST:
        stages.append((generator.up_4, True, True))
    return stages
