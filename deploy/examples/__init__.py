"""Example label maps: small palette PNGs whose indices are class ids and whose colours are the classes' own."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A label map, its instance map where the model uses one, and the model it is for."""

    model: str
    path: Path
    instance_map: Path | None = None


def example_label_maps() -> list[Example]:
    """The examples that come with the program."""
    folder = Path(__file__).parent
    landscapes = ("beach", "lake", "meadow", "snow", "canyon")
    street = Example(model="coco-stuff", path=folder / "street.png", instance_map=folder / "street.instance.png")
    return [*(Example(model="landscape", path=folder / f"{name}.png") for name in landscapes), street]
