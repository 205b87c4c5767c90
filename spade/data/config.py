"""What a dataset is and how its samples are cut. Light: needs no torch."""

from dataclasses import dataclass
from enum import StrEnum

from spade.errors import ConfigError
from spade.semantics_form import check_form, reads_pictures


class Mode(StrEnum):
    """How the files of a dataset lie; `scenes` has none, its samples are drawn."""

    COCO = "coco"
    ADE20K = "ade20k"
    CITYSCAPES = "cityscapes"
    FACADES = "facades"
    CUSTOM = "custom"
    SCENES = "scenes"


class Phase(StrEnum):
    """Which part of a dataset; testing reads `val`, as the published code does."""

    TRAIN = "train"
    VAL = "val"


class Preprocess(StrEnum):
    """How a sample gets its size. Label and instance maps are resized by NEAREST, pictures by BICUBIC."""

    RESIZE_AND_CROP = "resize_and_crop"  # to load_size x load_size, then a crop
    CROP = "crop"  # a crop of crop_size x crop_size at the files' own size
    SCALE_WIDTH = "scale_width"  # width to load_size, height in proportion
    SCALE_WIDTH_AND_CROP = "scale_width_and_crop"
    SCALE_SHORTSIDE = "scale_shortside"  # the shorter side to load_size, the other in proportion
    SCALE_SHORTSIDE_AND_CROP = "scale_shortside_and_crop"
    FIXED = "fixed"  # width crop_size, height crop_size / aspect_ratio
    NONE = "none"  # each side to the nearest multiple of 32

    @property
    def crops(self) -> bool:
        return self.endswith("crop")


class Ade20kIds(StrEnum):
    """How the ids of ADE20K's label maps, 0 for unknown and 1..150 for the classes, are understood."""

    RAW = "raw"  # as they are: channel 0 is unknown, channel k class k. The released weights expect this.
    SHIFTED = "shifted"  # classes 0..149, unknown 150, as in every other dataset


INSTANCE_MODES = (Mode.COCO, Mode.CITYSCAPES, Mode.CUSTOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetConfig:
    """A dataset's files, classes and sizes. `spade.data.presets` makes those of the published code.

    Raises ConfigError: where values contradict one another.
    """

    mode: Mode
    root: str = ""
    """The folder that holds the dataset; not for `scenes`."""
    label_dir: str | None = None
    """Of `custom` only, with `image_dir` and `instance_dir`: folders that lie elsewhere than under `root`."""
    image_dir: str | None = None
    instance_dir: str | None = None
    label_nc: int
    """Number of classes, unknown not counted; 0 where pictures stand in the label maps' place, in mode custom."""
    dont_care: bool
    """Whether pixels may be of unknown class: id label_nc, or 255 where that is no class."""
    instance_edges: bool
    """Whether instance maps are read."""
    class_names: tuple[str, ...] = ()
    """Names of the classes in the order of ids, if they are known; for palettes, and for what `scenes` draws."""
    palette: str | None = None
    """CSV file that says which colour of a coloured label image means which class."""
    ade20k_ids: Ade20kIds = Ade20kIds.RAW
    preprocess: Preprocess = Preprocess.RESIZE_AND_CROP
    load_size: int = 286
    """Pixels; to what samples are resized before a crop."""
    crop_size: int = 256
    """Pixels; width of a sample with `fixed`, both sides of a crop."""
    aspect_ratio: float = 1.0
    """Width / height of a sample with `fixed`."""
    flip: bool = True
    """Whether half of the training samples are mirrored."""
    portraits: bool = True
    """Whether training on `coco` reads the folders train_*_portrait too, where they exist."""
    pairing_check: bool = True
    """Whether files must have the same name; without, they are paired in their order."""
    max_dataset_size: int | None = None
    """Use the first so many samples only."""
    scenes: int = 10_000
    """How many landscapes of `scenes` make an epoch."""

    def __post_init__(self) -> None:
        check_form(self, where="dataset")
        for name in ("load_size", "crop_size", "max_dataset_size", "scenes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"dataset: {name} is {value}; it must be at least 1")
        if not 0.05 <= self.aspect_ratio <= 20:
            raise ConfigError(f"dataset: aspect_ratio is {self.aspect_ratio}; it must be from 0.05 to 20")
        if self.preprocess.crops and self.preprocess is not Preprocess.CROP and self.load_size < self.crop_size:
            raise ConfigError(
                f"dataset: load_size is {self.load_size}; with {self.preprocess} it must be at least crop_size "
                f"{self.crop_size}, or every sample would have an empty edge"
            )
        if self.class_names and len(self.class_names) != self.label_nc:
            raise ConfigError(
                f"dataset: {len(self.class_names)} class_names for label_nc {self.label_nc}; name every class, or none"
            )
        self._check_folders()
        self._check_mode()

    def _check_folders(self) -> None:
        given = [name for name in ("label_dir", "image_dir", "instance_dir") if getattr(self, name) is not None]
        if given and self.mode is not Mode.CUSTOM:
            raise ConfigError(f"dataset: {given[0]} is for mode custom only; {self.mode} reads folders under root")
        if given and self.label_dir is None:
            raise ConfigError(f"dataset: {given[0]} is given but label_dir is not")
        if self.instance_edges and self.label_dir is not None and self.instance_dir is None:
            raise ConfigError("dataset: instance_edges needs instance_dir beside label_dir; give it, or turn edges off")
        if not self.root and self.label_dir is None and self.mode is not Mode.SCENES:
            raise ConfigError(f"dataset: mode {self.mode} needs root, the folder that holds the dataset")

    def _check_mode(self) -> None:
        if self.instance_edges and self.mode not in INSTANCE_MODES:
            raise ConfigError(f"dataset: mode {self.mode} has no instance maps; turn instance_edges off")
        if self.ade20k_ids is Ade20kIds.SHIFTED and self.mode is not Mode.ADE20K:
            raise ConfigError(f"dataset: ade20k_ids is for mode ade20k only, not for {self.mode}")
        if reads_pictures(self) and self.mode is not Mode.CUSTOM:
            raise ConfigError(f"dataset: label_nc is 0; only mode custom has pictures as input, not {self.mode}")
        if reads_pictures(self) and self.palette is not None:
            raise ConfigError("dataset: label_nc is 0, for pictures as input, which need no palette")
        if self.mode is Mode.SCENES and not self.class_names:
            raise ConfigError("dataset: mode scenes needs class_names, which say what id each class is drawn with")

    @property
    def unknown_id(self) -> int | None:
        """The id that means unknown in samples, or None where there is no such id."""
        if self.mode is Mode.ADE20K and self.ade20k_ids is Ade20kIds.RAW:
            return 0
        return self.label_nc if self.dont_care else None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of every sample in pixels; None where it depends on the files."""
        if self.preprocess.crops:
            return self.crop_size, self.crop_size
        if self.preprocess is Preprocess.FIXED:
            return round(self.crop_size / self.aspect_ratio), self.crop_size
        return None
