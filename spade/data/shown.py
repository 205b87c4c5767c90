"""What a model read, for people to see."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spade.data.transforms import floats_to_picture
from spade.palettes import colorize


def shown_input(labels: NDArray[Any], class_colors: Mapping[int, int]) -> NDArray[np.uint8]:
    """RGB (H, W, 3): a label map (H, W) in its classes' colours, a picture (3, H, W) in [-1, 1] as it is."""
    return colorize(labels, class_colors) if labels.ndim == 2 else floats_to_picture(labels)
