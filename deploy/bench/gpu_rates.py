"""How many pictures a second a GPU would make: computed from what the engine needs on a CPU, not measured.

`spade bench engine` measures the seconds of a picture of a new label map and, in the same run, the fastest matrix
product of that machine. Their product is what a picture needs, in operations at the speed of matrix products; a GPU
that sustains so many of them a second makes so many pictures.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOnCpu:
    """What BENCHMARKS.md says of COCO-Stuff at 256x256: the mean of eight maps, and the matrix peak."""

    picture_seconds: float = 0.647
    matrix_peak_flops: float = 189e9
    trunk_flops: float = 84.5e9

    @property
    def picture_operations(self) -> float:
        """What a picture of a new map needs, all that is no matrix product counted as if it were one."""
        return self.picture_seconds * self.matrix_peak_flops


SUSTAINED_TFLOPS: Final = (10, 30, 100)
"""What is assumed that a GPU sustains on these convolutions: low, middle and high."""


def pictures_per_second(sustained_tflops: float, engine: EngineOnCpu | None = None) -> float:
    """Of one GPU."""
    return sustained_tflops * 1e12 / (engine or EngineOnCpu()).picture_operations
