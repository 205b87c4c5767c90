"""Scenes written as files, in the layout that mode `custom` reads, by several processes."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from spade.data.class_files import CLASSES_NAME, classes_csv
from spade.data.config import Phase
from spade.data.errors import DatasetError
from spade.data.scenes import noise, sprites
from spade.data.scenes.classes import label_ids
from spade.data.scenes.dataset import VALIDATION_SEEDS, SceneSettings
from spade.data.scenes.scene import draw_scene
from spade.files import written_whole
from spade.label_images import encode_ids_png
from spade.palettes import GAUGAN_COLORS
from spade.pictures import EXTENSIONS, encode_picture

CHUNK = 8
"""Scenes that a process is given at a time."""
OPTIONS_NAME: Final = "scenes.json"
"""With what a folder of scenes was drawn."""

Options = Mapping[str, int | str | None]
"""By the names that a user gives them; None for one that was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFile:
    """One scene to be written."""

    folder: Path
    phase: Phase
    seed: int
    settings: SceneSettings
    format: str = "jpeg"
    quality: int = 95

    @property
    def name(self) -> str:
        return f"scene_{self.seed:012d}"


def plan_files(
    folder: Path, settings: SceneSettings, *, validation: int, format: str, quality: int
) -> tuple[SceneFile, ...]:
    """`settings.scenes` scenes to train with and `validation` more with seeds of their own."""
    parts = ((Phase.TRAIN, settings.first_seed, settings.scenes), (Phase.VAL, VALIDATION_SEEDS, validation))
    return tuple(
        SceneFile(folder=folder, phase=phase, seed=seed, settings=settings, format=format, quality=quality)
        for phase, first, count in parts
        for seed in range(first, first + count)
    )


def claim_folder(folder: Path, options: Options) -> None:
    """Notes in `folder`, which is made, that it is for the scenes of `options`; a folder of the same may be drawn anew.

    Raises DatasetError: where something else lies there, which would be overwritten or taken for part of the dataset.
    """
    note = folder / OPTIONS_NAME
    if folder.is_dir() and any(folder.iterdir()) and (others := _others(note, options)):
        raise DatasetError(f"{folder}: {others}; choose a folder that is empty, or remove what is in it")
    with written_whole(note) as partial:
        partial.write_text(json.dumps(options, indent=2) + "\n", encoding="utf-8")


def _others(note: Path, options: Options) -> str:
    """What else than scenes of these options is there, for people; empty where it is these."""
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "there are other files in it"
    except ValueError:
        noted = {}
    differing = [name for name in options if not isinstance(noted, dict) or noted.get(name) != options[name]]
    return f"it holds scenes that were drawn with another {', '.join(differing)}" if differing else ""


def write_scenes(files: tuple[SceneFile, ...], classes: tuple[str, ...], *, workers: int) -> Iterator[str]:
    """Writes the scenes, and classes.csv; yields the name of each when it is there. The files do not depend on workers.

    Raises OSError.
    """
    with written_whole(files[0].folder / CLASSES_NAME) as partial:
        partial.write_text(classes_csv(classes, GAUGAN_COLORS), encoding="utf-8")
    if workers < 2:
        yield from map(write_scene, files)
        return
    noise.draw_all()
    sprites.draw_all()
    with ProcessPoolExecutor(max_workers=workers) as pool:
        yield from pool.map(write_scene, files, chunksize=CHUNK)


def write_scene(file: SceneFile) -> str:
    """Writes the picture and the label map of one scene; returns its name."""
    settings = file.settings
    scene = draw_scene(file.seed, height=settings.height, width=settings.width, variant=settings.variant)
    ids = np.array(label_ids(settings.class_ids), dtype=np.uint16)[scene.labels]
    picture = file.folder / f"{file.phase}_img" / (file.name + EXTENSIONS[file.format])
    label = file.folder / f"{file.phase}_label" / f"{file.name}.png"
    for path, data in (
        (picture, encode_picture(scene.picture, file.format, file.quality)),
        (label, encode_ids_png(ids)),
    ):
        with written_whole(path, durable=False) as partial:
            partial.write_bytes(data)
    return file.name
