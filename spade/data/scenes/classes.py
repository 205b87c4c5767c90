"""What scenes show: the classes of their label maps, and the materials that these are painted with."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from spade.data.errors import DatasetError


class SceneClass(IntEnum):
    """Classes in the scenes' own numbering; elsewhere they go by their names."""

    SKY = 0
    CLOUDS = 1
    FOG = 2
    SEA = 3
    RIVER = 4
    MOUNTAIN = 5
    HILL = 6
    GRASS = 7
    TREE = 8
    SAND = 9
    ROCK = 10
    SNOW = 11
    ROAD = 12


SCENE_CLASSES = tuple(one.name.lower() for one in SceneClass)
"""Names in the order of SceneClass, which are those of COCO-Stuff."""


class Material(IntEnum):
    """What the ground's surface is made of."""

    GRASS = 0
    SAND = 1
    WET_SAND = 2
    SNOW = 3
    ROCK = 4
    ROAD = 5
    LINE = 6
    HILL = 7
    FOREST = 8
    MOUNTAIN = 9
    CAP = 10
    WATER = 11
    SNOWY_FOREST = 12
    SNOWY_HILL = 13
    DIRT = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A material's label and its darkest and lightest colours, linear RGB."""

    label: SceneClass
    dark: tuple[float, float, float]
    light: tuple[float, float, float]


LOOKS: Mapping[Material, Look] = MappingProxyType(
    {
        Material.GRASS: Look(label=SceneClass.GRASS, dark=(0.022, 0.05, 0.01), light=(0.14, 0.185, 0.055)),
        Material.SAND: Look(label=SceneClass.SAND, dark=(0.33, 0.25, 0.15), light=(0.62, 0.5, 0.34)),
        Material.WET_SAND: Look(label=SceneClass.SAND, dark=(0.16, 0.12, 0.075), light=(0.32, 0.25, 0.17)),
        Material.SNOW: Look(label=SceneClass.SNOW, dark=(0.66, 0.7, 0.78), light=(0.92, 0.93, 0.95)),
        Material.ROCK: Look(label=SceneClass.ROCK, dark=(0.07, 0.065, 0.06), light=(0.32, 0.3, 0.27)),
        Material.ROAD: Look(label=SceneClass.ROAD, dark=(0.045, 0.045, 0.05), light=(0.11, 0.11, 0.115)),
        Material.LINE: Look(label=SceneClass.ROAD, dark=(0.45, 0.45, 0.42), light=(0.75, 0.75, 0.7)),
        Material.HILL: Look(label=SceneClass.HILL, dark=(0.03, 0.055, 0.016), light=(0.15, 0.19, 0.065)),
        Material.FOREST: Look(label=SceneClass.TREE, dark=(0.005, 0.014, 0.004), light=(0.055, 0.095, 0.022)),
        Material.MOUNTAIN: Look(label=SceneClass.MOUNTAIN, dark=(0.07, 0.068, 0.065), light=(0.27, 0.25, 0.22)),
        Material.CAP: Look(label=SceneClass.SNOW, dark=(0.6, 0.65, 0.74), light=(0.92, 0.93, 0.95)),
        Material.WATER: Look(label=SceneClass.SEA, dark=(0.004, 0.018, 0.022), light=(0.02, 0.06, 0.065)),
        Material.SNOWY_FOREST: Look(label=SceneClass.TREE, dark=(0.012, 0.018, 0.014), light=(0.5, 0.53, 0.57)),
        Material.SNOWY_HILL: Look(label=SceneClass.HILL, dark=(0.3, 0.31, 0.32), light=(0.9, 0.91, 0.93)),
        Material.DIRT: Look(label=SceneClass.ROAD, dark=(0.13, 0.095, 0.06), light=(0.38, 0.3, 0.21)),
    }
)


def label_ids(class_ids: Mapping[str, int]) -> tuple[int, ...]:
    """The ids, by SceneClass, that a model's `class_ids` by name give. Raises DatasetError: where a name is missing."""
    missing = [name for name in SCENE_CLASSES if name not in class_ids]
    if missing:
        raise DatasetError(
            f"scenes show classes that have no id: {', '.join(missing)}; they need all of {', '.join(SCENE_CLASSES)}"
        )
    return tuple(class_ids[name] for name in SCENE_CLASSES)
