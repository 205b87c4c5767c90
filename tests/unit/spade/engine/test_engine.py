"""The engine makes the pictures of the plain generator, whatever the variant, the map and the batch."""

import shutil
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spade.benchmarks.plain import plain_pictures
from spade.config import Norm, Precision, Upsampling
from spade.engine.config import EngineConfig
from spade.engine.engine import Engine
from spade.engine.layers import _instance_normalized
from spade.errors import ConfigError, DeviceError
from spade.generator import SpadeGenerator
from support.generators import settled_generator

CLASSES = 6
Draw = Callable[[int, int], Tensor]
TOLERANCE = 1e-4

VARIANTS: dict[str, dict[str, object]] = {
    "as published": {},
    "no edges": {"instance_edges": False},
    "no unknown": {"dont_care": False, "label_nc": 6},
    "large kernel": {"kernel_size": 5},
    "batch norm": {"norm": Norm.BATCH},
    "instance norm": {"norm": Norm.INSTANCE},
    "instance norm, large kernel": {"norm": Norm.INSTANCE, "kernel_size": 5},
    "more": {"upsampling": Upsampling.MORE, "width": 128},
    "most": {"upsampling": Upsampling.MOST, "height": 128, "width": 128},
    "latent": {"latent_dim": 6},
    "latent, most, instance norm": {
        "latent_dim": 6,
        "upsampling": Upsampling.MOST,
        "height": 128,
        "width": 256,
        "norm": Norm.INSTANCE,
    },
    "no spectral norm": {"spectral_norm": False},
    "one channel": {"output_channels": 1},
    "muted": {"output_multiplier": 0.5},
    "wide enough for fast tiles": {"base_channels": 32, "hidden_channels": 16},
}


def blocks(height: int, width: int, side: int) -> Tensor:
    small = torch.randint(CLASSES, (height // side, width // side))
    return small.repeat_interleave(side, 0).repeat_interleave(side, 1)


def checkerboard(height: int, width: int) -> Tensor:
    return (torch.arange(height).unsqueeze(1) + torch.arange(width)) % 2


MAPS: dict[str, Draw] = {
    "one class": lambda height, width: torch.full((height, width), 3),
    "all unknown": lambda height, width: torch.full((height, width), CLASSES - 1),
    "checkerboard": checkerboard,
    "speckle": lambda height, width: blocks(height, width, 16).where(torch.rand(height, width) > 0.02, torch.tensor(1)),
    "every pixel its own": lambda height, width: torch.randint(CLASSES, (height, width)),
    "large regions": lambda height, width: blocks(height, width, 32),
    "one pixel": lambda height, width: torch.zeros(height, width, dtype=torch.long).index_fill(1, torch.tensor([5]), 2),
}


@pytest.fixture(scope="module")
def engines() -> dict[str, tuple[SpadeGenerator, Engine]]:
    """Generators with their engines, by variant."""
    generators = {name: settled_generator(**changes) for name, changes in VARIANTS.items()}
    return {name: (generator, Engine.from_generator(generator)) for name, generator in generators.items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_exact_on_every_kind_of_map(
    engines: dict[str, tuple[SpadeGenerator, Engine]], variant: str
) -> None:
    generator, engine = engines[variant]
    config = generator.config
    torch.manual_seed(0)
    for name, draw in MAPS.items():
        labels = draw(config.height, config.width)[None]
        z = None if config.latent_dim is None else torch.randn(1, config.latent_dim)
        for instances in (None, blocks(config.height, config.width, 16)[None]):
            expected = plain_pictures(generator, labels, instances, z)
            assert expected.std() > 0.01, "a picture that says nothing would agree with anything"
            found = engine.pictures(labels, instances, z)
            assert (found - expected).abs().max() < TOLERANCE, name


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    side=st.sampled_from([1, 2, 8, 32]),
    variant=st.sampled_from(["as published", "large kernel", "instance norm", "latent"]),
    batch=st.integers(1, 3),
)
def test_random_maps_in_batches_are_exact(
    engines: dict[str, tuple[SpadeGenerator, Engine]], seed: int, side: int, variant: str, batch: int
) -> None:
    generator, engine = engines[variant]
    torch.manual_seed(seed)
    labels = torch.stack([blocks(64, 64, side) for _ in range(batch)])
    instances = torch.stack([blocks(64, 64, min(64, 2 * side)) for _ in range(batch)])
    z = None if generator.config.latent_dim is None else torch.randn(batch, generator.config.latent_dim)
    found, expected = engine.pictures(labels, instances, z), plain_pictures(generator, labels, instances, z)
    assert (found - expected).abs().max() < TOLERANCE


@pytest.mark.parametrize("variant", ["as published", "latent", "instance norm"])
def test_what_else_is_in_the_batch_makes_no_difference(
    engines: dict[str, tuple[SpadeGenerator, Engine]], variant: str
) -> None:
    generator, engine = engines[variant]
    torch.manual_seed(1)
    labels = torch.stack([blocks(64, 64, side) for side in (1, 8, 8, 32)])
    labels[2] = labels[0]  # the same map twice, with other latents
    z = None if generator.config.latent_dim is None else torch.randn(4, generator.config.latent_dim)
    together = engine.pictures(labels, None, z)
    for item in range(4):
        alone = engine.pictures(labels[item : item + 1], None, None if z is None else z[item : item + 1])
        assert (alone[0] - together[item]).abs().max() < 1e-5


def test_a_generator_without_latent_makes_other_sizes_than_its_own(
    engines: dict[str, tuple[SpadeGenerator, Engine]],
) -> None:
    generator, engine = engines["wide enough for fast tiles"]
    torch.manual_seed(2)
    for height, width in ((32, 32), (96, 160), (256, 64)):
        labels = blocks(height, width, 16)[None]
        found, expected = engine.pictures(labels), plain_pictures(generator, labels, None, None)
        assert found.shape == (1, 3, height, width)
        assert (found - expected).abs().max() < TOLERANCE


@pytest.mark.parametrize("table_bytes", [1, 20_000])
def test_tables_that_may_not_be_large_are_made_in_strips(table_bytes: int) -> None:
    generator = settled_generator(kernel_size=5)
    engine = Engine.from_generator(generator, config=EngineConfig(table_bytes=table_bytes))
    torch.manual_seed(4)
    labels = torch.stack([blocks(64, 64, 1), blocks(64, 64, 8)])
    assert (engine.pictures(labels) - plain_pictures(generator, labels, None, None)).abs().max() < TOLERANCE


def test_half_precision_comes_close(engines: dict[str, tuple[SpadeGenerator, Engine]]) -> None:
    generator, exact = engines["as published"]
    engine = Engine.from_generator(generator, config=EngineConfig(precision=Precision.BFLOAT16))
    torch.manual_seed(5)
    labels = blocks(64, 64, 8)[None]
    found = engine.pictures(labels)
    assert found.dtype == torch.float32
    assert TOLERANCE < (found - exact.pictures(labels)).abs().max() < 0.1


def test_instance_statistics_are_float32_in_half_precision() -> None:
    torch.manual_seed(8)
    x = (1.003 + 0.02 * torch.randn(1, 32, 32, 4)).bfloat16()  # bfloat16 has 1 and 1.0078 and nothing between
    found = _instance_normalized(x, eps=1e-5).float()
    assert found.mean((0, 1, 2)).abs().max() < 0.01


@pytest.mark.parametrize(
    ("labels", "z", "message"),
    [
        (torch.full((1, 64, 64), 6), None, "id 6 is out of range; ids are 0 to 5"),
        (torch.zeros(1, 64, 60, dtype=torch.long), None, "multiples of 32"),
        (torch.zeros(1, 64, 64, dtype=torch.long), torch.zeros(1, 6), r"\(1, 6\) given; .* needs none"),
    ],
)
def test_what_does_not_fit_is_named(
    engines: dict[str, tuple[SpadeGenerator, Engine]], labels: Tensor, z: Tensor | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        engines["as published"][1].pictures(labels, None, z)


@pytest.mark.parametrize("shape", [(64, 64), (0, 64, 64), (1, 1, 64, 64)])
def test_label_maps_that_are_no_batch_are_named(
    engines: dict[str, tuple[SpadeGenerator, Engine]], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ConfigError, match=r"label maps: .* given"):
        engines["as published"][1].pictures(torch.zeros(shape, dtype=torch.long))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 32, 32), (2, 64, 64)])
def test_instance_maps_of_another_shape_are_named(
    engines: dict[str, tuple[SpadeGenerator, Engine]], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ConfigError, match=r"instance maps: .* given"):
        engines["as published"][1].pictures(
            torch.zeros(1, 64, 64, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        )


def test_a_missing_latent_is_named(engines: dict[str, tuple[SpadeGenerator, Engine]]) -> None:
    with pytest.raises(ConfigError, match="none given; this generator needs"):
        engines["latent"][1].pictures(torch.zeros(1, 64, 64, dtype=torch.long))


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler, and there is no g++")
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method:DeprecationWarning")  # torch.compile imports it
def test_what_the_compiler_fuses_is_as_exact(engines: dict[str, tuple[SpadeGenerator, Engine]]) -> None:
    generator, _ = engines["instance norm"]
    engine = Engine.from_generator(generator, config=EngineConfig(compile=True))
    torch.manual_seed(6)
    labels = torch.stack([blocks(64, 64, 8), blocks(64, 64, 2)])
    assert (engine.pictures(labels) - plain_pictures(generator, labels, None, None)).abs().max() < TOLERANCE


def test_compiling_without_a_compiler_is_refused_when_the_engine_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DeviceError, match=r"compile: .* g\+\+, clang\+\+, cl; install one or leave it out"):
        Engine.from_generator(settled_generator(), config=EngineConfig(compile=True))


def test_a_picture_of_1024_pixels_a_side_is_exact_within_small_tables() -> None:
    generator = settled_generator(instance_edges=False)
    engine = Engine.from_generator(generator, config=EngineConfig(table_bytes=2**20))
    torch.manual_seed(7)
    labels = blocks(1024, 1024, 64)
    labels[:512] = torch.randint(CLASSES, (512, 1024))
    found = engine.pictures(labels[None])
    assert (found - plain_pictures(generator, labels[None], None, None)).abs().max() < TOLERANCE
