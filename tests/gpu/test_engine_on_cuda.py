"""Needs an NVIDIA GPU; skipped elsewhere."""

import pytest
import torch

from spade.benchmarks.plain import plain_pictures
from spade.config import Norm, Precision
from spade.engine.config import EngineConfig
from spade.engine.engine import Engine
from support.generators import coarse_maps, settled_generator

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


@pytest.mark.parametrize("changes", [{}, {"kernel_size": 5, "norm": Norm.INSTANCE}, {"latent_dim": 6}])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_engine_on_cuda_makes_the_pictures_of_the_plain_network(changes: dict[str, object], compiled: bool) -> None:
    generator = settled_generator(**changes)
    labels, z = coarse_maps(3), torch.randn(3, 6) if "latent_dim" in changes else None
    expected = plain_pictures(generator, labels, None, z)
    engine = Engine.from_generator(generator, device="cuda", config=EngineConfig(compile=compiled))
    for _ in range(2):  # the second time from the cache
        assert (engine.pictures(labels, None, z).cpu() - expected).abs().max() < 1e-4


@pytest.mark.parametrize("precision", [Precision.BFLOAT16, Precision.FLOAT16])
def test_half_precision_on_cuda_comes_close(precision: Precision) -> None:
    generator, labels = settled_generator(), coarse_maps(2)
    engine = Engine.from_generator(generator, device="cuda", config=EngineConfig(precision=precision))
    found = engine.pictures(labels).cpu()
    assert (found - plain_pictures(generator, labels, None, None)).abs().max() < 0.1
