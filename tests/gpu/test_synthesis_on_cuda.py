"""Needs an NVIDIA GPU; skipped elsewhere."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model_store.loading import load_synthesizer
from model_store.registry import Registry

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


def test_pictures_on_cuda_are_those_of_the_cpu_to_one_level(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    card = registry.card("landscape")
    tiles = np.kron(np.arange(64).reshape(8, 8) % 14, np.ones((32, 32))).astype(np.uint16)[np.newaxis]
    pictures = [
        load_synthesizer(registry, card, device=device).synthesize(tiles, None, [3]) for device in ("cpu", "cuda")
    ]
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() <= 1
