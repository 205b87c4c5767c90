"""Where the files of each dataset mode lie, and which of them belong together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from spade.data.config import DatasetConfig, Mode, Phase
from spade.data.errors import DatasetError, PairingError
from spade.data.file_lists import list_files
from spade.data.pairing import FileLists, FolderFiles, Key, SampleFiles, pair_by_name, pair_by_order


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which files are wanted."""

    config: DatasetConfig
    phase: Phase
    pictures: bool

    @property
    def root(self) -> Path:
        return Path(self.config.root)

    @property
    def instances(self) -> bool:
        return self.config.instance_edges


def find_samples(config: DatasetConfig, phase: Phase, *, pictures: bool = True) -> tuple[SampleFiles, ...]:
    """The samples of a phase, in natural order of the label maps; label maps only where not `pictures`.

    Raises DatasetError: where a folder or all files are missing; PairingError, which tells of every file whose
    partner is missing.
    """
    samples, problems = list_samples(config, phase, pictures=pictures)
    if problems:
        raise PairingError(_place(config), problems, lister="spade dataset inspect")
    return tuple(samples[: config.max_dataset_size])


def list_samples(config: DatasetConfig, phase: Phase, *, pictures: bool = True) -> tuple[list[SampleFiles], list[str]]:
    """The whole samples of a phase, and a line about each broken one.

    Raises DatasetError: where a folder or all files are missing.
    """
    layout = LAYOUTS.get(config.mode)
    if layout is None:
        raise DatasetError(f"mode {config.mode} has no files; files are read in modes {', '.join(LAYOUTS)}")
    samples: list[SampleFiles] = []
    problems: list[str] = []
    for lists in layout.find(Request(config=config, phase=phase, pictures=pictures)):
        paired, broken = pair_by_name(lists, layout.key) if config.pairing_check else pair_by_order(lists)
        samples += paired
        problems += broken
    if not samples and not problems:
        raise DatasetError(
            f"{_place(config)}: there are no {phase} files of mode {config.mode}; it has {layout.expects}"
        )
    return samples, problems


def _place(config: DatasetConfig) -> str:
    return config.label_dir or config.root


def _phase_folders(request: Request, *, ending: str = "", prefix: str = "") -> FileLists:
    """`train_label/`, `train_img/`, `train_inst/`, and the same for `val`."""
    folders = [request.root / f"{request.phase}_{kind}{ending}" for kind in ("label", "img", "inst")]
    return _three_folders(request, *folders, prefix=prefix)


def _three_folders(request: Request, labels: Path, pictures: Path, instances: Path, *, prefix: str = "") -> FileLists:
    return FileLists(
        labels=_listed(labels),
        pictures=_listed(pictures) if request.pictures else None,
        instances=_listed(instances) if request.instances else None,
        prefix=prefix,
    )


def _listed(folder: Path) -> FolderFiles:
    return FolderFiles(folder=folder, files=list_files(folder))


def _coco(request: Request) -> list[FileLists]:
    lists = [_phase_folders(request)]
    has_portraits = (request.root / f"{request.phase}_label_portrait").is_dir()
    if request.phase is Phase.TRAIN and request.config.portraits and has_portraits:
        lists.append(_phase_folders(request, ending="_portrait", prefix="portrait/"))
    return lists


def _ade20k(request: Request) -> list[FileLists]:
    """Pictures are .jpg and label maps .png, anywhere below; the phase is part of the path."""
    mark = f"_{request.phase}_"
    found = FolderFiles(folder=request.root, files=list_files(request.root, {".jpg", ".png"}))
    both = [path for path in found.files if mark in found.relative_key(path)]

    def ending(suffix: str) -> FolderFiles:
        return FolderFiles(folder=request.root, files=[path for path in both if path.suffix.lower() == suffix])

    return [FileLists(labels=ending(".png"), pictures=ending(".jpg") if request.pictures else None)]


def _cityscapes(request: Request) -> list[FileLists]:
    annotations = request.root / "gtFine" / request.phase
    found = list_files(annotations, {".png"})

    def ending(end: str) -> FolderFiles:
        return FolderFiles(folder=annotations, files=[path for path in found if path.name.endswith(end)])

    return [
        FileLists(
            labels=ending("_labelIds.png"),
            pictures=_listed(request.root / "leftImg8bit" / request.phase) if request.pictures else None,
            instances=ending("_instanceIds.png") if request.instances else None,
        )
    ]


def _city_sequence_frame(path: Path) -> str:
    """`aachen_000000_000019` of `aachen_000000_000019_gtFine_labelIds.png`."""
    return "_".join(path.stem.split("_")[:3])


def _facades(request: Request) -> list[FileLists]:
    return [_phase_folders(request)]


def _custom(request: Request) -> list[FileLists]:
    """Folders that the configuration names, for both phases the same; or those of a phase under the root."""
    config = request.config
    if config.label_dir is None:
        return [_phase_folders(request)]
    if request.pictures and config.image_dir is None:
        raise DatasetError(f"{config.label_dir}: pictures are needed, but the configuration names no image_dir")
    return [
        _three_folders(
            request, *(Path(name or "") for name in (config.label_dir, config.image_dir, config.instance_dir))
        )
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How to find the files of a mode, by what they belong together, and what to tell who has none."""

    find: Callable[[Request], list[FileLists]]
    expects: str
    key: Key | None = None


PHASE_FOLDERS = "the folders {train,val}_label and {train,val}_img"

LAYOUTS: Mapping[Mode, Layout] = MappingProxyType(
    {
        Mode.COCO: Layout(find=_coco, expects=f"{PHASE_FOLDERS}, and {{train,val}}_inst"),
        Mode.ADE20K: Layout(
            find=_ade20k, expects="label maps ..._train_...png and pictures ..._train_...jpg, or _val_"
        ),
        Mode.CITYSCAPES: Layout(
            find=_cityscapes,
            expects="gtFine/{train,val}/**/*_labelIds.png, *_instanceIds.png, and leftImg8bit/{train,val}/**",
            key=_city_sequence_frame,
        ),
        Mode.FACADES: Layout(find=_facades, expects=PHASE_FOLDERS),
        Mode.CUSTOM: Layout(find=_custom, expects=f"{PHASE_FOLDERS}, or label_dir and image_dir"),
    }
)
"""Every mode that has files. `expects` completes the sentence "it has ..."."""
