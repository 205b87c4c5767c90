"""A little dataset of coloured shapes that can be learnt in seconds, and weights that are the same on every machine."""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spade.checkpoint import save_network
from spade.config import GeneratorConfig
from spade.data.config import DatasetConfig
from spade.evaluation.dataset_options import DatasetChoice
from spade.generator import SpadeGenerator
from support.segmenters import save_untrained_segmenter

SIZE = 64
UNKNOWN_IN_FILES = 255


def _shapes(seed: int, size: int = SIZE) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Label map (H, W) and picture (H, W, 3): a red box and a green disc on blue ground, a strip of unknown."""
    random = np.random.Generator(np.random.PCG64(seed))
    rows, columns = np.mgrid[:size, :size]
    labels = np.zeros((size, size), dtype=np.uint8)
    top, left = random.integers(0, size // 2, 2)
    labels[top : top + size // 3, left : left + size // 3] = 1
    middle = random.integers(size // 4, 3 * size // 4, 2)
    labels[(rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 < (size // 6) ** 2] = 2
    colors = np.array([[40, 60, 180], [200, 50, 40], [60, 180, 70]])
    picture = colors[labels] + random.normal(0, 20, (size, size, 3))
    labels[:2] = UNKNOWN_IN_FILES
    return labels, picture.clip(0, 255).astype(np.uint8)


def _write_shapes(root: Path, *, train: int = 0, val: int = 0, photographs: bool = True) -> Path:
    """A dataset of mode `custom`."""
    for phase, count, first_seed in (("train", train, 1000), ("val", val, 2000)):
        for number in range(count):
            labels, picture = _shapes(first_seed + number)
            _save(root / f"{phase}_label" / f"shape_{number}.png", labels)
            if photographs:
                _save(root / f"{phase}_img" / f"shape_{number}.png", picture)
    return root


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _choice(root: Path | None, **given: object) -> DatasetChoice:
    """What the command line makes of `--dataset custom --dataroot ROOT --label-nc 3 --dont-care`."""
    fields = dict.fromkeys(DatasetChoice.__dataclass_fields__)
    custom = {"mode": "custom", "dataroot": root and str(root), "label_nc": 3, "dont_care": True}
    return DatasetChoice(**(fields | custom | given))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """On tensors this small, threads wait for one another more than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def shapes() -> Callable[..., tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Label map and picture of a seed."""
    return _shapes


@pytest.fixture
def shapes_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Writes a dataset of mode `custom` with so many training and validation samples."""

    def make(name: str = "shapes", **counts: int) -> Path:
        return _write_shapes(tmp_path / name, **counts)

    return make


@pytest.fixture
def choice() -> Callable[..., DatasetChoice]:
    """What the command line makes of `--dataset custom --dataroot ROOT --label-nc 3 --dont-care` and more."""
    return _choice


@pytest.fixture
def shapes_config(shapes_dataset: Callable[..., Path]) -> Callable[..., DatasetConfig]:
    """Makes a dataset and says how it lies."""
    return lambda **counts: _choice(shapes_dataset(**counts)).config(SIZE, SIZE)


@pytest.fixture
def segmenter_file(tmp_path: Path) -> Path:
    """A segmenter of three classes that has learnt nothing."""
    return save_untrained_segmenter(tmp_path / "segmenter.safetensors", classes=3, ignored_id=3, size=SIZE)


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A generator of three classes that has learnt nothing."""
    sizes = {"height": SIZE, "width": SIZE, "base_channels": 1, "hidden_channels": 4}
    config = GeneratorConfig(label_nc=3, dont_care=True, instance_edges=False, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_network(tmp_path / "model.safetensors", SpadeGenerator(config))
    return tmp_path / "model.safetensors"


@pytest.fixture
def drawn() -> Callable[[str, torch.Size], Tensor]:
    """Weights by their name alone, so that outputs are neither flat nor overflow."""
    return _drawn


def _drawn(name: str, shape: torch.Size) -> Tensor:
    if not shape:
        return torch.tensor(0)
    random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    uniform = torch.from_numpy(random.random(shape, dtype=np.float32) * 2 - 1)
    if name.endswith("bn.weight"):
        return 1 + uniform / 4
    if name.endswith("running_var"):
        return 1 + uniform / 2
    if name.endswith(("bias", "running_mean")):
        return uniform / 5
    return uniform * (6 / uniform[0].numel()) ** 0.5
