"""Noise that repeats without a seam, drawn once per process and then looked up anywhere. H W: pixels of a lookup.

Scenes differ by where they look into the tiles, so a lookup costs the same for a pebble and for a mountain.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TILE = 512
MASK = TILE - 1


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A square of TILE x TILE values that continues itself on all sides; coordinates count its values."""

    values: Floats
    """Flat, rows one after the other."""

    def at(self, u: Floats, v: Floats) -> Floats:
        """Values between the tile's, at columns `u` and rows `v`, arrays of any one shape."""
        column, row = np.floor(u), np.floor(v)
        right, below = u - column, v - row
        left_index = column.astype(np.int32) & MASK
        right_index = (left_index + 1) & MASK
        row_index = row.astype(np.int32)
        top = (row_index & MASK) * TILE
        bottom = ((row_index + 1) & MASK) * TILE
        upper = self.values.take(top + left_index)
        upper += right * (self.values.take(top + right_index) - upper)
        lower = self.values.take(bottom + left_index)
        lower += right * (self.values.take(bottom + right_index) - lower)
        upper += below * (lower - upper)
        return upper

    def near(self, u: Floats, v: Floats) -> Floats:
        """The tile's values nearest to columns `u` and rows `v`: quick, and grainy."""
        return self.values.take((v.astype(np.int32) & MASK) * TILE + (u.astype(np.int32) & MASK))


@functools.cache
def fractal() -> Tile:
    """Soft noise of every size from the whole tile down to two values; mean 0, standard deviation 1."""
    return _tile(_filtered(1, exponent=1.9))


@functools.cache
def rough() -> Tile:
    """As `fractal`, with more of the fine."""
    return _tile(_filtered(2, exponent=1.25))


@functools.cache
def grain() -> Tile:
    """Fine noise only; mean 0, standard deviation 1."""
    return _tile(_filtered(3, exponent=0.35))


@functools.cache
def tufts() -> Tile:
    """Blobs a few values wide, alike everywhere; mean 0, standard deviation 1."""
    return _tile(_filtered(5, exponent=0.7, low=28))


@functools.cache
def ridged() -> Tile:
    """Sharp crests between round valleys, as of mountains; 0 to 1."""
    total = np.zeros((TILE, TILE))
    weight = 1.0
    crest = np.ones((TILE, TILE))
    for octave in range(6):
        band = _filtered(10 + octave, exponent=1.0, low=1.6 * 2**octave, high=3.2 * 2**octave)
        crest_of_band = (1 - np.minimum(1, np.abs(band) / 1.6)) ** 2
        total += weight * crest_of_band * crest
        crest = np.clip(crest_of_band * 1.6, 0, 1)  # fine crests only upon coarse ones
        weight *= 0.42
    total -= total.min()
    return _tile(total / total.max())


@functools.cache
def relief() -> Tile:
    """How `rough` ground is lit from the right: its slope along a row; mean 0, standard deviation 1."""
    slope = np.diff(_filtered(4, exponent=1.6), axis=1, append=0)
    slope[:, -1] = slope[:, 0]
    return _tile(slope / slope.std())


@functools.cache
def crowns() -> Tile:
    """Domes side by side, as tree crowns seen from afar, 16 values apart; 0 between them to 1 on top."""
    return _tile(_domes(20, spacing=16))


TILES = (fractal, rough, grain, relief, tufts, ridged, crowns)


def draw_all() -> None:
    """Draws all tiles now, so that processes that are forked from this one have them."""
    for tile in TILES:
        tile()


def _tile(values: NDArray[np.float64]) -> Tile:
    return Tile(np.ascontiguousarray(values, dtype=np.float32).reshape(-1))


def _filtered(seed: int, *, exponent: float, low: float = 0.5, high: float = TILE) -> NDArray[np.float64]:
    """White noise with its waves weakened by their number to the power of `exponent`; only low..high waves a tile."""
    white = np.random.Generator(np.random.PCG64(seed)).standard_normal((TILE, TILE))
    waves_down = np.fft.fftfreq(TILE, 1 / TILE)[:, None]
    waves_across = np.fft.rfftfreq(TILE, 1 / TILE)[None, :]
    waves = np.hypot(waves_down, waves_across)
    gain = np.where((waves >= low) & (waves <= high), np.maximum(waves, 1.0) ** -exponent, 0.0)
    shaped = np.fft.irfft2(np.fft.rfft2(white) * gain, s=(TILE, TILE))
    return np.asarray((shaped - shaped.mean()) / shaped.std())


def _domes(seed: int, *, spacing: int) -> NDArray[np.float64]:
    """One dome in each square of a grid, its top somewhere in the square."""
    random = np.random.Generator(np.random.PCG64(seed))
    cells = TILE // spacing
    across, down, size = random.uniform(0.15, 0.85, (3, cells, cells))
    column, row = np.meshgrid(np.arange(TILE) / spacing, np.arange(TILE) / spacing)
    highest = np.zeros((TILE, TILE))
    for step_down in (-1, 0, 1):
        for step_across in (-1, 0, 1):
            cell_row = np.floor(row).astype(int) + step_down
            cell_column = np.floor(column).astype(int) + step_across
            inside = (cell_row % cells, cell_column % cells)
            distance = np.hypot(column - cell_column - across[inside], row - cell_row - down[inside])
            radius = 0.55 + 0.4 * size[inside]
            highest = np.maximum(
                highest, np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, 1)) * (0.7 + 0.3 * size[inside])
            )
    return highest
