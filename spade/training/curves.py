"""Curves drawn as SVG, with scales that can be read."""

import math
from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 8, 34
"""Margins about the curve, with room for the numbers of the scales."""


def curve(title: str, points: Sequence[tuple[float, float]], x_name: str) -> str:
    """An article with a line through `points`, its last value beside the title and its range beneath the numbers."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    columns = _Scale(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT)
    rows = _Scale(min(ys), max(ys), _HEIGHT - _BOTTOM, _TOP)
    lines = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{rows.at(y):.1f}" y2="{rows.at(y):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{rows.at(y) + 4:.1f}" text-anchor="end">{number(y)}</text>'
        for y in rows.ticks(4)
    )
    lines += "".join(
        f'<text x="{columns.at(x):.1f}" y="{_HEIGHT - _BOTTOM + 15}" text-anchor="middle">{number(x)}</text>'
        for x in columns.ticks(5)
    )
    drawn = " ".join(f"{columns.at(x):.1f},{rows.at(y):.1f}" for x, y in points)
    said = f"{title}: {ys[-1]:.4g}, from {min(ys):.4g} to {max(ys):.4g}"
    return (
        f"<article><h2>{escape(title)} {ys[-1]:.4g}<small>{min(ys):.4g} to {max(ys):.4g}</small></h2>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(said)}">{lines}'
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end">{escape(x_name)}</text>'
        f'<polyline points="{drawn}"/></svg></article>'
    )


def number(value: float) -> str:
    """Short, as on a scale: 1500000 is 1.5M."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= factor:
            return f"{value / (1e3 if letter == 'k' else factor):.4g}{letter}"
    return f"{value:.4g}"


class _Scale:
    """From values between low and high to places between start and end."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        if low == high:  # a line through the middle
            margin = abs(low) / 2 or 1.0
            low, high = low - margin, high + margin
        self._low, self._high, self._start, self._end = low, high, start, end

    def at(self, value: float) -> float:
        return self._start + (value - self._low) / (self._high - self._low) * (self._end - self._start)

    def ticks(self, most: int) -> list[float]:
        """At most about `most` round numbers within."""
        rough = (self._high - self._low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        first, last = math.ceil(self._low / step), math.floor(self._high / step)
        return [count * step for count in range(first, last + 1)]
