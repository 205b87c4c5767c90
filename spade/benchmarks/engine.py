"""How fast the engine is, how exact and how large, against the plain generator in the same process.

For each map the plain generator, the engine on a map that it sees for the first time (`cold`) and on one that it knows
(`variation`: another seed or style of the same map) take turns, so that a machine that gets slower meanwhile is as slow
for each. What the products of the trunk's convolutions alone would take at the fastest matrix product of this machine,
measured in the same run, is the limit that a variation is held against.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from spade.benchmarks.maps import BenchMap, MapKind, drawn_maps
from spade.benchmarks.memory import peak_memory_alone
from spade.checkpoint import load_generator, save_generator
from spade.config import GeneratorConfig
from spade.engine.cache import ModulationCache
from spade.engine.config import EngineConfig
from spade.engine.engine import Engine
from spade.generator import SpadeGenerator
from spade.labels import semantics_from_labels

_MATRIX_SIDE: Final = 2048
_MODULATION: Final = ("shared", "gamma", "beta")
_CONTRAST: Final = 0.5
"""Standard deviation of pictures before tanh, as trained networks have about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFigures:
    """Of one map. Seconds are medians over the rounds."""

    name: str
    plain_seconds: float
    cold_seconds: float
    variation_seconds: float
    cold_speedup: float
    variation_speedup: float
    largest_difference: float
    """Absolute, of pictures in [-1, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFigures:
    """Peak resident memory, bytes, of processes that make two pictures of a map."""

    plain: int
    engine: int
    plain_random: int
    """Of a map in which no window repeats."""
    engine_random: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFigures:
    """Of all maps, medians over them, and what bounds a variation."""

    threads: int
    width: int
    height: int
    maps: tuple[MapFigures, ...]
    cold_speedup: float
    variation_speedup: float
    largest_difference: float
    matrix_peak_flops: float
    """Floating-point operations a second of the fastest matrix product."""
    trunk_flops: float
    """Of the trunk's convolutions by their definition, for one picture."""
    trunk_limit_share: float
    """Of that limit's speed which variations reach; Winograd's tiles, which need fewer products, can go beyond 1."""
    memory: MemoryFigures


def measure_engine(config: GeneratorConfig, maps: Sequence[BenchMap], *, rounds: int, threads: int) -> EngineFigures:
    """Time every map `rounds` times over, after one round to warm up."""
    torch.set_num_threads(threads)
    generator = settled_generator(config)
    cache = ModulationCache(EngineConfig().cache_bytes)
    engine = Engine.from_generator(generator, cache=cache)
    z = _latent(config)
    peak = _matrix_peak_flops()
    figures = tuple(_measure_map(generator, engine, cache, one, z, rounds) for one in maps)
    peak = max(peak, _matrix_peak_flops())
    flops = trunk_flops(generator, maps[0].labels.shape[1], maps[0].labels.shape[2])
    variation_seconds = statistics.median(one.variation_seconds for one in figures)
    return EngineFigures(
        threads=threads,
        width=config.width,
        height=config.height,
        maps=figures,
        cold_speedup=statistics.median(one.cold_speedup for one in figures),
        variation_speedup=statistics.median(one.variation_speedup for one in figures),
        largest_difference=max(one.largest_difference for one in figures),
        matrix_peak_flops=peak,
        trunk_flops=flops,
        trunk_limit_share=flops / peak / variation_seconds,
        memory=_measure_memory(generator, maps[0], threads),
    )


def settled_generator(config: GeneratorConfig) -> SpadeGenerator:
    """An untrained generator in evaluation mode whose pictures have contrast, the same at each call.

    A few passes of training let spectral norm and batch statistics settle.
    """
    torch.manual_seed(0)
    generator = SpadeGenerator(config).train()
    labels = torch.randint(config.label_nc, (2, config.height // 4, config.width // 4)).repeat_interleave(4, 1)
    labels = labels.repeat_interleave(4, 2)
    z = None if config.latent_dim is None else torch.randn(2, config.latent_dim)
    before_tanh: list[Tensor] = []
    generator.to_image.register_forward_hook(lambda _module, _inputs, output: before_tanh.append(output))
    with torch.no_grad():
        for _ in range(3):
            plain_pictures(generator, labels, None, z)
        generator.to_image.weight *= _CONTRAST / before_tanh[-1].std()
    return generator.eval()


@torch.no_grad()
def plain_pictures(generator: SpadeGenerator, labels: Tensor, instances: Tensor | None, z: Tensor | None) -> Tensor:
    """What the plain network makes, from label maps (B, H, W) as the engine takes them."""
    form = generator.config
    semantics = semantics_from_labels(
        labels, instances, label_nc=form.label_nc, dont_care=form.dont_care, instance_edges=form.instance_edges
    )
    pictures: Tensor = generator(semantics, z)
    return pictures


def trunk_flops(generator: SpadeGenerator, height: int, width: int) -> float:
    """Floating-point operations of one picture's convolutions that make no modulation; a multiply-add counts two."""
    total = 0
    hooks = []

    def count(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += 2 * output[0].numel() * module.weight[0].numel()

    for name, module in generator.named_modules():
        if isinstance(module, nn.Conv2d) and name.rpartition(".")[2] not in _MODULATION:
            hooks.append(module.register_forward_hook(count))
    plain_pictures(generator, torch.zeros(1, height, width, dtype=torch.long), None, _latent(generator.config))
    for hook in hooks:
        hook.remove()
    return total


def _measure_map(
    generator: SpadeGenerator, engine: Engine, cache: ModulationCache, one: BenchMap, z: Tensor | None, rounds: int
) -> MapFigures:
    times: list[tuple[float, float, float]] = []
    for _ in range(rounds + 1):
        plain_seconds, plain = _timed(lambda: plain_pictures(generator, one.labels, one.instances, z))
        cache.clear()
        cold_seconds, cold = _timed(lambda: engine.pictures(one.labels, one.instances, z))
        variation_seconds, variation = _timed(lambda: engine.pictures(one.labels, one.instances, z))
        times.append((plain_seconds, cold_seconds, variation_seconds))
    plain_seconds, cold_seconds, variation_seconds = (
        statistics.median(column) for column in zip(*times[1:], strict=True)
    )
    return MapFigures(
        name=one.name,
        plain_seconds=plain_seconds,
        cold_seconds=cold_seconds,
        variation_seconds=variation_seconds,
        cold_speedup=plain_seconds / cold_seconds,
        variation_speedup=plain_seconds / variation_seconds,
        largest_difference=max(float((found - plain).abs().max()) for found in (cold, variation)),
    )


def _timed(make: Callable[[], Tensor]) -> tuple[float, Tensor]:
    started = time.perf_counter()
    pictures = make()
    return time.perf_counter() - started, pictures


def _matrix_peak_flops(tries: int = 5) -> float:
    a, b = torch.randn(_MATRIX_SIDE, _MATRIX_SIDE), torch.randn(_MATRIX_SIDE, _MATRIX_SIDE)
    seconds = min(_timed(lambda: a @ b)[0] for _ in range(tries))
    return 2 * _MATRIX_SIDE**3 / seconds


def _measure_memory(generator: SpadeGenerator, one: BenchMap, threads: int) -> MemoryFigures:
    (random,) = drawn_maps(MapKind.RANDOM, generator.config, 1)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "weights.safetensors")
        save_generator(weights, generator)
        peaks = [
            peak_memory_alone(function, weights, chosen, threads)
            for chosen in (one, random)
            for function in (_plain_alone, _engine_alone)
        ]
    return MemoryFigures(plain=peaks[0], engine=peaks[1], plain_random=peaks[2], engine_random=peaks[3])


def _plain_alone(weights: Path, one: BenchMap, threads: int) -> None:
    torch.set_num_threads(threads)
    generator = load_generator(weights)
    for _ in range(2):
        plain_pictures(generator, one.labels, one.instances, _latent(generator.config))


def _engine_alone(weights: Path, one: BenchMap, threads: int) -> None:
    torch.set_num_threads(threads)
    engine = Engine.from_generator(load_generator(weights))
    for _ in range(2):
        engine.pictures(one.labels, one.instances, _latent(engine.config))


def _latent(config: GeneratorConfig) -> Tensor | None:
    """One latent, where the generator has any."""
    return None if config.latent_dim is None else torch.randn(1, config.latent_dim)
