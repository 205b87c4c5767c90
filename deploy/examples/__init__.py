"""Example label maps: small palette PNGs whose indices are class ids and whose colours are the classes' own."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A label map, the model it is for, and styles of the model that become it."""

    model: str
    path: Path
    styles: tuple[str, ...]


def example_label_maps() -> list[Example]:
    """The examples that come with the program."""
    folder = Path(__file__).parent
    landscapes = ("beach", "lake", "meadow", "snow", "canyon")
    return [
        *(
            Example(model="landscape", path=folder / f"{name}.png", styles=("day", "sunset", "night"))
            for name in landscapes
        ),
        Example(model="street", path=folder / "avenue.png", styles=("day", "dusk")),
    ]
