"""Pictures from label-map files with one model, without the service: what `spade synthesize` does."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from model_store.card import UNKNOWN_NAME, ModelCard
from model_store.chosen_style import ChosenStyle
from model_store.loading import load_described_generator, load_synthesizer
from model_store.registry import Registry
from model_store.style_latents import StyleLatents
from spade.checkpoint import load_generator
from spade.config import GeneratorConfig
from spade.device import pick_device
from spade.errors import ConfigError
from spade.files import written_whole
from spade.generator import SpadeGenerator
from spade.label_images import LabelMapError, decode_instance_map, decode_label_map, resize_nearest
from spade.palettes import Palette
from spade.pictures import EXTENSIONS, encode_picture
from spade.semantics_form import require_classes
from spade.style_pictures import StylePictureError, read_style_picture
from spade.synthesis import Synthesizer

MOST_OFFENDERS_NAMED = 5
WEIGHTS_ENDING = ".safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineModel:
    """A loaded model; `card` is None for a bare weights file."""

    reference: str
    card: ModelCard | None
    synthesizer: Synthesizer

    @property
    def config(self) -> GeneratorConfig:
        """Its architecture."""
        return self.synthesizer.config

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the ids; empty for a bare weights file."""
        return () if self.card is None else tuple(one.name for one in self.card.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One label map, and where the picture of each seed goes."""

    label_map: Path
    instance_map: Path | None
    outputs: dict[int, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that was written. Sizes in pixels."""

    path: Path
    label_map: Path
    seed: int
    width: int
    height: int
    seconds: float


def open_model(reference: str, registry: Registry, *, device: str) -> OfflineModel:
    """Loads a model of the registry, `name` or `name@version`, or a weights file, a path that ends in .safetensors.

    Raises SpadeError: of the kind that says what is wrong with either.
    """
    if reference.endswith(WEIGHTS_ENDING):
        synthesizer = Synthesizer.from_file(reference, device=pick_device(device))
        return OfflineModel(reference=reference, card=None, synthesizer=synthesizer)
    card = registry.resolve(reference)
    return OfflineModel(
        reference=card.reference, card=card, synthesizer=load_synthesizer(registry, card, device=device)
    )


def open_generator(reference: str, registry: Registry) -> tuple[ModelCard | None, SpadeGenerator]:
    """The plain network of a model, as `open_model` finds it, on the CPU; a weights file has no card.

    Raises SpadeError: as `open_model` says.
    """
    if reference.endswith(WEIGHTS_ENDING):
        return None, load_generator(reference)
    card = registry.resolve(reference)
    return card, load_described_generator(registry, card)


def choose_palette(name: str | None, model: OfflineModel, registry: Registry) -> Palette | None:
    """The palette `gaugan` or `model`, or one from a CSV file.

    Raises SpadeError: where the model has no such palette or the file cannot be used.
    """
    if name is None:
        return None
    if name.endswith(".csv"):
        class_ids = model.card.class_ids if model.card else _class_ids(model.config)
        return Palette.from_csv(Path(name).read_bytes(), file=name, class_ids_by_name=class_ids)
    if model.card is None:
        raise ConfigError(f"palette {name!r}: a bare weights file does not name its classes; give a CSV file instead")
    return registry.palette(model.card, name)


def choose_latent(
    model: OfflineModel, registry: Registry, *, style: ChosenStyle | None, image: Path | None
) -> Tensor | None:
    """z (latent_dim,) of a style, or of that which the model's encoder reads in a picture; None for neither.

    Raises SpadeError: where the model has no such style or no encoder, or the picture cannot be read.
    """
    if style is None and image is None:
        return None
    if model.card is None:
        raise ConfigError("a bare weights file has no styles: name a model of the registry, or leave them out")
    pictures: dict[str, NDArray[np.uint8]] = {}
    if image is not None:
        style = ChosenStyle(picture=str(image))
        try:
            pictures[str(image)] = read_style_picture(image.read_bytes())
        except StylePictureError as error:
            raise ConfigError(f"{image}: {error}") from error
    [latent] = StyleLatents(registry).latents(model.card, [style], pictures)
    return latent


def plan_pictures(
    label_maps: Sequence[Path], instance_maps: Sequence[Path], seeds: Sequence[int], folder: Path, extension: str
) -> list[Plan]:
    """Names every picture `<stem><extension>` or, of several seeds, `<stem>_<seed><extension>`.

    Raises ConfigError: where two pictures would have one name, a picture would replace an input, or the number of
    instance maps does not fit.
    """
    if instance_maps and len(instance_maps) != len(label_maps):
        raise ConfigError(f"{len(instance_maps)} instance maps for {len(label_maps)} label maps: give one for each")
    plans = []
    for number, label_map in enumerate(label_maps):
        names = {seed: f"{label_map.stem}_{seed}" if len(seeds) > 1 else label_map.stem for seed in seeds}
        outputs = {seed: folder / f"{name}{extension}" for seed, name in names.items()}
        instance_map = instance_maps[number] if instance_maps else None
        plans.append(Plan(label_map=label_map, instance_map=instance_map, outputs=outputs))
    outputs_of_all = Counter(output for plan in plans for output in plan.outputs.values())
    if outputs_of_all:
        output, count = outputs_of_all.most_common(1)[0]
        if count > 1:
            raise ConfigError(f"{count} label maps would make the one picture {output}: give them different names")
    inputs = {path.resolve() for path in (*label_maps, *instance_maps)}
    for output in outputs_of_all:
        if output.resolve() in inputs:
            raise ConfigError(f"{output} would replace an input: choose another output folder")
    return plans


def make_pictures(
    model: OfflineModel,
    plans: Sequence[Plan],
    *,
    size: tuple[int, int] | None,
    palette: Palette | None,
    latent: Tensor | None = None,
    picture_format: str = next(iter(EXTENSIONS)),
    quality: int = 90,
) -> Iterator[Picture]:
    """Makes and writes the pictures one by one; `size` is (height, width), the model's own if None.

    `latent`, where given, decides what otherwise the seeds do.

    Raises ConfigError, OutOfMemoryError: where a map cannot be used or the size cannot be made.
    """
    require_classes(model.config, "label maps")
    height, width = size or (model.config.height, model.config.width)
    model.config.check_size(height, width)
    for plan in plans:
        try:
            label_map, instance_map = _read_maps(plan, model.config, palette, height, width)
        except LabelMapError as error:
            raise ConfigError(str(error) + _offenders_named(error)) from error
        for seed, output in plan.outputs.items():
            start = time.perf_counter()
            pixels = model.synthesizer.synthesize(label_map, instance_map, [seed], [latent])[0]
            with written_whole(output) as partial:
                partial.write_bytes(encode_picture(pixels, picture_format, quality))
            seconds = time.perf_counter() - start
            yield Picture(path=output, label_map=plan.label_map, seed=seed, width=width, height=height, seconds=seconds)


def _read_maps(
    plan: Plan, config: GeneratorConfig, palette: Palette | None, height: int, width: int
) -> tuple[NDArray[np.integer], NDArray[np.integer] | None]:
    """A batch of one, (1, height, width), of label map and instance map."""
    file = str(plan.label_map)
    labels = decode_label_map(
        plan.label_map.read_bytes(), file=file, label_nc=config.label_nc, unknown_id=config.unknown_id, palette=palette
    )
    if plan.instance_map is None:
        return resize_nearest(labels, height, width)[np.newaxis], None
    instances = decode_instance_map(plan.instance_map.read_bytes(), file=str(plan.instance_map))
    if instances.shape != labels.shape:
        sizes = f"it has {_size(instances)} pixels, but its label map {file} has {_size(labels)}"
        raise LabelMapError(code="size-mismatch", file=str(plan.instance_map), detail=sizes)
    return resize_nearest(labels, height, width)[np.newaxis], resize_nearest(instances, height, width)[np.newaxis]


def _class_ids(config: GeneratorConfig) -> dict[str, int]:
    """For a weights file, which does not name its classes: their numbers as names."""
    ids = {str(class_id): class_id for class_id in range(config.label_nc)}
    return ids if config.unknown_id is None else {**ids, UNKNOWN_NAME: config.unknown_id}


def _offenders_named(error: LabelMapError) -> str:
    """The ids or colours that may not occur, where there are any: the most frequent, on the same line."""
    named = [f"{found.value} ({found.count} pixels in {found.box})" for found in error.offenders[:MOST_OFFENDERS_NAMED]]
    return ": " + ", ".join(named) if named else ""


def _size(ids: NDArray[np.integer]) -> str:
    return f"{ids.shape[1]}x{ids.shape[0]}"
