"""What a folder of data holds: how many samples, of which sizes and classes, and what is wrong with it."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from spade.data.config import DatasetConfig, Mode, Phase
from spade.data.errors import DatasetError
from spade.data.layouts import list_samples
from spade.data.pairing import SampleFiles
from spade.data.presets import PRESETS
from spade.data.reading import read_instance_map, read_map_bytes, read_picture, unknown_colors_told
from spade.errors import SpadeError
from spade.label_images import UNKNOWN_IN_FILES, LabelMapError, class_histogram, decode_label_map
from spade.palettes import Palette

ALL_IDS = 2**16
UNKNOWN_NAMES = frozenset({"unknown", "unlabelled", "unlabeled", "void", "ignore", "don't care"})
CHUNK = 16
"""Samples that a process is given at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleReport:
    """What one sample holds."""

    problem: str | None
    size: tuple[int, int] | None = None
    """Width and height of the label map in pixels."""
    ids: dict[int, int] | None = None
    """Pixels of each id; None where the label map is coloured or cannot be read."""
    colored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseReport:
    """What one phase holds."""

    samples: int
    sizes: dict[tuple[int, int], int]
    """Samples by width and height in pixels, most frequent first."""
    pixels: dict[int, int]
    """Pixels by id, over all readable label maps."""
    pictures: dict[int, int]
    """Label maps in which an id occurs."""
    broken_pairs: tuple[str, ...]
    unreadable: tuple[str, ...]
    colored: int
    """Label maps that are RGB, so that a palette is needed to read them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What to tell the training about the classes."""

    label_nc: int
    dont_care: bool
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a folder holds."""

    mode: Mode
    guessed: bool
    phases: dict[Phase, PhaseReport]
    absent: dict[Phase, str]
    """Why a phase could not be read at all."""
    proposal: Proposal | None

    @property
    def sound(self) -> bool:
        reports = self.phases.values()
        return bool(reports) and not any(one.broken_pairs or one.unreadable for one in reports)


def guess_mode(root: Path) -> Mode:
    """The mode whose layout a folder has. Raises DatasetError: where it has none of them."""
    if not root.is_dir():
        raise DatasetError(f"{root}: there is no such folder")
    if (root / "gtFine").is_dir():
        return Mode.CITYSCAPES
    if any((root / f"{phase}_label").is_dir() for phase in Phase):
        # Facades lie as custom data do, so nothing tells them apart.
        has_instances = any((root / f"{phase}_inst").is_dir() for phase in Phase)
        return Mode.COCO if has_instances else Mode.CUSTOM
    if any(re.search("_(train|val)_", path.name) for path in root.rglob("*.png")):
        return Mode.ADE20K
    raise DatasetError(
        f"{root}: this is no layout that is known: there is no gtFine, no train_label or val_label, and no file "
        "..._train_...png or ..._val_...png"
    )


def inspect_dataset(
    root: Path,
    mode: Mode | None = None,
    *,
    names: Mapping[int, str] = MappingProxyType({}),
    palette: Palette | None = None,
    workers: int = 1,
    most: int | None = None,
) -> Inspection:
    """Reads all samples, or the first `most` of each phase, with `workers` processes.

    `names` are the classes' by id, where they are known; they tell how many classes there are. `palette` says what the
    colours of coloured label maps mean.

    Raises DatasetError: where the layout is none that is known, or no phase has files.
    """
    guessed = mode is None
    mode = mode or guess_mode(root)
    config = PRESETS[mode](str(root)).dataset
    if mode is Mode.CUSTOM and any((root / f"{phase}_inst").is_dir() for phase in Phase):
        config = replace(config, instance_edges=True)
    if palette is not None:
        palette = replace(palette, colors=dict(palette.colors))  # which goes to other processes as it is
    phases: dict[Phase, PhaseReport] = {}
    absent: dict[Phase, str] = {}
    for phase in Phase:
        try:
            phases[phase] = _inspect_phase(config, phase, palette, workers=workers, most=most)
        except DatasetError as error:
            absent[phase] = str(error)
    if not phases:
        raise DatasetError(next(iter(absent.values())))
    return Inspection(
        mode=mode, guessed=guessed, phases=phases, absent=absent, proposal=propose(config, phases.values(), names)
    )


def propose(config: DatasetConfig, reports: Iterable[PhaseReport], names: Mapping[int, str]) -> Proposal | None:
    """label_nc and dont_care that fit the ids that occur; None where no ids could be read."""
    ids = sorted({number for report in reports for number in report.pixels})
    if not ids:
        return None
    highest = max((number for number in ids if number != UNKNOWN_IN_FILES), default=0)
    if config.mode is not Mode.CUSTOM:
        allowed = set(range(config.label_nc + config.dont_care)) | ({UNKNOWN_IN_FILES} if config.dont_care else set())
        wrong = [number for number in ids if number not in allowed]
        note = f"the published values of mode {config.mode}, which all ids fit"
        if wrong:
            note = f"the published values of mode {config.mode}; ids that do not fit: {', '.join(map(str, wrong))}"
        return Proposal(label_nc=config.label_nc, dont_care=config.dont_care, note=note)
    unknown = [number for number, name in names.items() if name.lower() in UNKNOWN_NAMES]
    if names and highest <= max(names):
        label_nc = min(unknown, default=max(names) + 1)
        return Proposal(label_nc=label_nc, dont_care=bool(unknown) or UNKNOWN_IN_FILES in ids, note="from classes.csv")
    if UNKNOWN_IN_FILES in ids and highest < UNKNOWN_IN_FILES:
        return Proposal(label_nc=highest + 1, dont_care=True, note="255 stands for unknown")
    note = f"if {highest} stands for unknown, say label_nc {highest} and dont_care instead" if highest else "one class"
    return Proposal(label_nc=highest + 1, dont_care=False, note=note)


def inspect_sample(files: SampleFiles, palette: Palette | None = None) -> SampleReport:
    """Reads all files of a sample whole."""
    try:
        ids = decode_label_map(
            read_map_bytes(files.label), file=str(files.label), label_nc=ALL_IDS, unknown_id=None, palette=palette
        )
        size = (ids.shape[1], ids.shape[0])
        problem = None
        if files.instance is not None:
            instances = read_instance_map(files.instance)
            if instances.shape != ids.shape:
                problem = f"{files.instance}: the instance map is not of the label map's size, {size[0]}x{size[1]}"
        if files.picture is not None:
            read_picture(files.picture)
        return SampleReport(problem=problem, size=size, ids=class_histogram(ids))
    except LabelMapError as error:
        colored = error.code == "palette-needed"
        problem = unknown_colors_told(error, palette) if error.code == "unknown-colors" else str(error)
        return SampleReport(problem=None if colored else problem, colored=colored)
    except SpadeError as error:
        return SampleReport(problem=str(error))


def _inspect_phase(
    config: DatasetConfig, phase: Phase, palette: Palette | None, *, workers: int, most: int | None
) -> PhaseReport:
    try:
        samples, broken = list_samples(config, phase)
    except DatasetError:
        # Label maps alone are a dataset too, for testing.
        samples, broken = list_samples(config, phase, pictures=False)
    reports = _inspect_samples(samples[:most], palette, workers)
    sizes = Counter(report.size for report in reports if report.size is not None)
    pixels: Counter[int] = Counter()
    pictures: Counter[int] = Counter()
    for report in reports:
        pixels.update(report.ids or {})
        pictures.update(dict.fromkeys(report.ids or {}, 1))
    return PhaseReport(
        samples=len(samples),
        sizes=dict(sizes.most_common()),
        pixels=dict(sorted(pixels.items())),
        pictures=dict(sorted(pictures.items())),
        broken_pairs=tuple(broken),
        unreadable=tuple(report.problem for report in reports if report.problem is not None),
        colored=sum(report.colored for report in reports),
    )


def _inspect_samples(samples: Sequence[SampleFiles], palette: Palette | None, workers: int) -> list[SampleReport]:
    inspect = partial(inspect_sample, palette=palette)
    if workers < 2 or len(samples) <= CHUNK:
        return [inspect(files) for files in samples]
    with ProcessPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(inspect, samples, chunksize=CHUNK))
