"""The light of a scene: where it comes from and its colours, by time of day and weather.

Colours are linear RGB, 1 about as bright as white paper under a clear sky.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from spade.data.scenes.noise import Floats
from spade.data.scenes.variant import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Sun or moon, sky and air. Directions: x to the right, y up, z away from the viewer."""

    azimuth: float
    """Radians from straight ahead to the right."""
    elevation: float
    """Radians above the horizon."""
    key: Floats
    """Colour of the sun or moon upon a surface that faces it."""
    ambient: Floats
    """Colour of what the whole sky sends upon a flat surface."""
    zenith: Floats
    horizon: Floats
    glow: Floats
    """Added to the sky around the sun."""
    disc_radius: float
    """Radians that the sun or moon seems wide; 0 where it is hidden."""
    disc: Floats
    visibility: float
    """Metres over which haze hides two thirds of what lies behind it."""
    exposure: float
    saturation: float
    stars: float
    """Brightness of the stars."""
    clear: float = 1.0
    """1 for a sun or moon that casts shadows and glitters on water to 0 for one behind clouds."""

    @property
    def direction(self) -> tuple[float, float, float]:
        flat = math.cos(self.elevation)
        return flat * math.sin(self.azimuth), math.sin(self.elevation), flat * math.cos(self.azimuth)

    @property
    def side(self) -> float:
        """-1 where the light comes from the left to 1 from the right."""
        return self.direction[0]


def draw_light(variant: Variant, random: np.random.Generator) -> Light:
    """A light of the variant, somewhat different each time."""
    return LIGHTS[variant](random)


def color(red: float, green: float, blue: float) -> Floats:
    """A linear RGB colour (3,), float32."""
    return np.array([red, green, blue], dtype=np.float32)


def _either_side(random: np.random.Generator, low: float, high: float) -> float:
    """An angle in radians of low..high degrees to the left or to the right."""
    return math.radians(float(random.uniform(low, high))) * (1 if random.random() < 0.5 else -1)


def _degrees(random: np.random.Generator, low: float, high: float) -> float:
    return math.radians(float(random.uniform(low, high)))


def _day(random: np.random.Generator) -> Light:
    haze = float(random.uniform(0, 1))
    return Light(
        azimuth=_either_side(random, 40, 130),
        elevation=_degrees(random, 22, 58),
        key=color(2.5, 2.32, 2.0) * float(random.uniform(0.9, 1.1)),
        ambient=color(0.36, 0.46, 0.62),
        zenith=color(0.07, 0.2, 0.56) * float(random.uniform(0.8, 1.3)) + color(0.06, 0.05, 0.03) * haze,
        horizon=color(0.5, 0.68, 0.9) + color(0.16, 0.1, 0) * haze,
        glow=color(0.35, 0.32, 0.25),
        disc_radius=0,
        disc=color(0, 0, 0),
        visibility=float(random.uniform(9_000, 30_000)) * (1.2 - 0.6 * haze),
        exposure=0.8,
        saturation=1.12,
        stars=0,
    )


def _sunset(random: np.random.Generator) -> Light:
    red = float(random.uniform(0, 1))
    return Light(
        azimuth=_either_side(random, 2, 26) if random.random() < 0.7 else _either_side(random, 40, 75),
        elevation=_degrees(random, 2.5, 9),
        key=color(2.1, 1.02 - 0.25 * red, 0.42 - 0.12 * red),
        ambient=color(0.27, 0.25, 0.36),
        zenith=color(0.09 + 0.05 * red, 0.15, 0.35),
        horizon=color(0.98, 0.46 - 0.1 * red, 0.2 + 0.08 * red),
        glow=color(1.5, 0.72 - 0.15 * red, 0.22),
        disc_radius=0.03,
        disc=color(4.0, 2.9, 1.5),
        visibility=float(random.uniform(6_000, 14_000)),
        exposure=0.85,
        saturation=1.15,
        stars=0,
    )


def _night(random: np.random.Generator) -> Light:
    full = float(random.uniform(0.6, 1.2))
    return Light(
        azimuth=_either_side(random, 3, 28) if random.random() < 0.7 else _either_side(random, 40, 80),
        elevation=_degrees(random, 9, 24),
        key=color(0.2, 0.27, 0.4) * full,
        ambient=color(0.05, 0.074, 0.125),
        zenith=color(0.008, 0.015, 0.045),
        horizon=color(0.04, 0.068, 0.125) * float(random.uniform(0.8, 1.5)),
        glow=color(0.07, 0.09, 0.13) * full,
        disc_radius=0.036,
        disc=color(1.6, 1.6, 1.45),
        visibility=float(random.uniform(5_000, 12_000)),
        exposure=1.3,
        saturation=0.9,
        stars=float(random.uniform(0.3, 0.9)),
    )


def _winter(random: np.random.Generator) -> Light:
    overcast = float(random.uniform(0, 1))
    return Light(
        azimuth=_either_side(random, 30, 120),
        elevation=_degrees(random, 10, 26),
        key=color(1.75, 1.58, 1.36) * (1 - 0.72 * overcast),
        ambient=color(0.4, 0.5, 0.68) * (1 + 0.25 * overcast),
        zenith=color(0.13, 0.28, 0.58) * (1 - overcast) + color(0.52, 0.56, 0.62) * overcast,
        horizon=color(0.66, 0.76, 0.9) * (1 - overcast) + color(0.74, 0.76, 0.8) * overcast,
        glow=color(0.4, 0.34, 0.26) * (1 - overcast),
        disc_radius=0,
        disc=color(0, 0, 0),
        visibility=float(random.uniform(5_000, 14_000)) * (1.1 - 0.7 * overcast),
        exposure=0.74,
        saturation=0.92,
        stars=0,
        clear=1 - overcast,
    )


def _fog(random: np.random.Generator) -> Light:
    warm = float(random.uniform(0, 1))
    return Light(
        azimuth=_either_side(random, 0, 120),
        elevation=_degrees(random, 15, 40),
        key=color(0.55 + 0.15 * warm, 0.55, 0.55 - 0.1 * warm),
        ambient=color(0.5, 0.54, 0.58),
        zenith=color(0.5 + 0.05 * warm, 0.56, 0.63 - 0.05 * warm),
        horizon=color(0.66 + 0.06 * warm, 0.68, 0.7 - 0.05 * warm),
        glow=color(0.3, 0.26, 0.2) * warm,
        disc_radius=0,
        disc=color(0, 0, 0),
        visibility=float(random.uniform(1_200, 2_500)),
        exposure=0.72,
        saturation=0.8,
        stars=0,
        clear=0.1 * warm,
    )


LIGHTS: Mapping[Variant, Callable[[np.random.Generator], Light]] = MappingProxyType(
    {
        Variant.DAY: _day,
        Variant.SUNSET: _sunset,
        Variant.NIGHT: _night,
        Variant.WINTER: _winter,
        Variant.FOG: _fog,
    }
)
