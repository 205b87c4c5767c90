"""Tables are kept for more pictures of the same maps, never beyond the limit."""

import pytest
import torch

from spade.benchmarks.plain import plain_pictures
from spade.engine.cache import ModulationCache
from spade.engine.config import EngineConfig
from spade.engine.engine import Engine
from spade.engine.modulation import Modulator, Table
from spade.errors import ConfigError
from support.generators import coarse_maps, settled_generator


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Modulator]:
    """Counts every modulation that is computed, which it still is."""
    seen: list[Modulator] = []
    compute = Modulator.modulation

    def counted(self: Modulator, *arguments: object, **options: object) -> object:
        seen.append(self)
        return compute(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Modulator, "modulation", counted)
    return seen


def test_further_styles_of_a_map_compute_no_modulation(made: list[Modulator]) -> None:
    generator = settled_generator(latent_dim=6)
    engine = Engine.from_generator(generator)
    labels, z = coarse_maps(1), torch.randn(5, 6)
    engine.pictures(labels, None, z[:1])
    layers = len(made)
    assert layers == len(set(made)) == 18  # head, two middles with two each, four blocks with three
    for first, last in ((1, 2), (2, 5)):  # alone, and as a batch of one map
        found = engine.pictures(labels.expand(last - first, -1, -1), None, z[first:last])
        expected = plain_pictures(generator, labels.expand(last - first, -1, -1), None, z[first:last])
        assert (found - expected).abs().max() < 1e-4
    assert len(made) == layers


def test_instance_maps_tell_maps_apart(made: list[Modulator]) -> None:
    generator = settled_generator()
    engine = Engine.from_generator(generator)
    labels, instances = coarse_maps(1), coarse_maps(2)[1:]
    for given in (None, instances, instances + 1):
        assert (engine.pictures(labels, given) - plain_pictures(generator, labels, given, None)).abs().max() < 1e-4
    assert len(made) == 3 * 18


def test_maps_whose_bytes_are_equal_in_other_types_are_told_apart() -> None:
    generator = settled_generator()
    engine = Engine.from_generator(generator)
    labels = torch.zeros(1, 64, 64, dtype=torch.uint8)
    labels[:, :, ::2] = torch.arange(64).unsqueeze(1) % 5
    instances = torch.zeros_like(labels)
    wide = torch.cat([labels.flatten(), instances.flatten()]).view(torch.int16).view(1, 64, 64)
    engine.pictures(labels, instances)
    assert (engine.pictures(wide) - plain_pictures(generator, wide, None, None)).abs().max() < 1e-4


def test_equal_maps_of_a_batch_are_one(made: list[Modulator]) -> None:
    engine = Engine.from_generator(settled_generator())
    labels = coarse_maps(2)
    engine.pictures(labels[[0, 1, 0, 0]])
    engine.pictures(labels)
    assert len(made) == 18


@pytest.mark.parametrize("limit", [0, 10_000, 200_000, 10**9])
def test_the_limit_holds_over_all_engines_that_share_a_cache(limit: int) -> None:
    cache = ModulationCache(limit)
    generators = [settled_generator(), settled_generator(kernel_size=5)]
    engines = [Engine.from_generator(generator, cache=cache) for generator in generators]
    for labels in coarse_maps(3).split(1):
        for generator, engine in zip(generators, engines, strict=True):
            for _ in range(2):
                found = engine.pictures(labels)
                assert (found - plain_pictures(generator, labels, None, None)).abs().max() < 1e-4
                assert cache.nbytes <= limit
    kept = [layers.values() for layers in cache._by_maps.values()]
    assert cache.nbytes == sum(modulation.nbytes for layers in kept for modulation in layers)
    assert (cache.nbytes > 0) == (limit > 0)


def test_the_maps_that_were_not_used_longest_go_first(made: list[Modulator]) -> None:
    engine = Engine.from_generator(settled_generator(), cache=(cache := ModulationCache(10**9)))
    first, second, third = coarse_maps(3).split(1)
    for labels in (first, second, first):
        engine.pictures(labels)
    cache.most_bytes = cache.nbytes  # no room for a third
    engine.pictures(third)
    del made[:]
    engine.pictures(first)
    assert made == []


def test_what_never_fits_drives_nothing_out() -> None:
    engine = Engine.from_generator(settled_generator(), cache=(cache := ModulationCache(10**9)))
    engine.pictures(coarse_maps(1))
    kept = cache.nbytes
    cache.most_bytes = kept
    cache.get("larger", "layer", lambda: Table(torch.zeros(kept + 1, dtype=torch.uint8), torch.zeros(0)))
    assert cache.nbytes == kept


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table_bytes": 0}, "engine: table_bytes is 0; it must be at least 1"),
        ({"cache_bytes": -1}, "engine: cache_bytes is -1; it must not be negative"),
    ],
)
def test_limits_that_cannot_hold_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EngineConfig(**options)
