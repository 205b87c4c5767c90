"""Scenes written as files, in the layout that mode `custom` reads, by several processes."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spade.data.class_files import CLASSES_NAME, classes_csv
from spade.data.config import Phase
from spade.data.presets import LANDSCAPE_CLASSES
from spade.data.scenes import noise, sprites
from spade.data.scenes.classes import SCENE_CLASSES, label_ids
from spade.data.scenes.dataset import VALIDATION_SEEDS, SceneSettings
from spade.data.scenes.scene import draw_scene
from spade.files import written_whole
from spade.label_images import encode_ids_png
from spade.palettes import GAUGAN_COLORS
from spade.pictures import EXTENSIONS, encode_picture

CLASS_LISTS = {"landscape": LANDSCAPE_CLASSES, "scenes": SCENE_CLASSES}
"""Names in the order of ids: those of the built-in model `landscape`, or only those that scenes show."""

CHUNK = 8
"""Scenes that a process is given at a time."""


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
