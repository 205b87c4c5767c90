"""Miniature datasets on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spade.label_images import encode_ids_png

SHARED = Path(__file__).parents[4].parent / "shared" / "data"


class Tree:
    """A folder that is filled file by file."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def ids(self, name: str, ids: object = 0, size: tuple[int, int] = (8, 10)) -> Path:
        """A label map or instance map as PNG: `ids` as they are, or one id everywhere at `size` (height, width)."""
        array = np.full(size, ids) if np.isscalar(ids) else np.asarray(ids)
        return self.data(name, encode_ids_png(array))

    def picture(self, name: str, pixels: object = 128, size: tuple[int, int] = (8, 10)) -> Path:
        """A picture in the format of its name."""
        array = np.full((*size, 3), pixels, np.uint8) if np.isscalar(pixels) else np.asarray(pixels, np.uint8)
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)
        return path

    def data(self, name: str, data: bytes = b"") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def pairs(self, *stems: str, phase: str = "train", size: tuple[int, int] = (8, 10)) -> None:
        """Label maps and pictures as facades and custom datasets have them."""
        for stem in stems:
            self.ids(f"{phase}_label/{stem}.png", 1, size)
            self.picture(f"{phase}_img/{stem}.png", size=size)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "set")


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """A folder of the shared data; skips the test where they are not beside the project."""

    def find(name: str) -> Path:
        if not (SHARED / name).is_dir():
            pytest.skip(f"the shared data set {name} is not beside the project (../shared/data)")
        return SHARED / name

    return find
