"""How fast the engine is, how exact and how large, against the plain generator in the same process.

For each map the plain generator, the engine on a map that it sees for the first time (`cold`) and on one that it knows
(`variation`: another seed or style of the same map) take turns, so that a machine that gets slower meanwhile is as slow
for each. What the products of the trunk's convolutions alone would take at the fastest matrix product of this machine,
measured in the same run, is the limit that a variation is held against.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from spade.benchmarks.maps import BenchMap
from spade.benchmarks.plain import latent_of, plain_pictures, settled_generator
from spade.benchmarks.processes import ProcessFigures, measure_processes
from spade.config import GeneratorConfig
from spade.engine.cache import ModulationCache
from spade.engine.config import EngineConfig
from spade.engine.engine import Engine
from spade.generator import SpadeGenerator

_MATRIX_SIDE: Final = 2048
_MODULATION: Final = ("shared", "gamma", "beta")


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
    processes: ProcessFigures


def measure_engine(config: GeneratorConfig, maps: Sequence[BenchMap], *, rounds: int, threads: int) -> EngineFigures:
    """Time every map `rounds` times over, after one round to warm up."""
    torch.set_num_threads(threads)
    generator = settled_generator(config)
    cache = ModulationCache(EngineConfig().cache_bytes)
    engine = Engine.from_generator(generator, cache=cache)
    z = latent_of(config)
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
        processes=measure_processes(generator, maps[0], rounds=rounds, threads=threads),
    )


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
    plain_pictures(generator, torch.zeros(1, height, width, dtype=torch.long), None, latent_of(generator.config))
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
