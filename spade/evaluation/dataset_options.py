"""The configuration that the options of a command line about its dataset make."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from spade.config import GeneratorConfig
from spade.data.class_files import read_class_names
from spade.data.config import INSTANCE_MODES, Ade20kIds, DatasetConfig, Mode, Preprocess
from spade.data.options import split_names
from spade.data.presets import PRESETS
from spade.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetChoice:
    """What was given on the command line; None for what was not."""

    mode: str | None
    dataroot: str | None
    label_dir: str | None
    image_dir: str | None
    instance_dir: str | None
    label_nc: int | None
    dont_care: bool | None
    instances: bool | None
    class_names: str | None
    palette: str | None
    ade20k_ids: str | None
    pairing_check: bool | None
    limit: int | None

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> "DatasetChoice":
        """Removes its own options from `options`."""
        return cls(**{field.name: options.pop(field.name) for field in fields(cls)})

    def config(self, height: int, width: int) -> DatasetConfig:
        """The dataset with every sample brought to (height, width). Raises ConfigError: where it contradicts itself."""
        preset = self._preset()
        changes = at_size(height, width) | self._given_changes(preset)
        return replace(preset, **changes)

    def config_for(
        self, model: GeneratorConfig, height: int, width: int, *, reference: str, class_names: tuple[str, ...] = ()
    ) -> DatasetConfig:
        """The same for the model called `reference`; what is not given about custom data is as the model has it.

        Where no names are given, the model's `class_names` are those of custom data, and scenes are drawn with them.

        Raises ConfigError: where the dataset's classes are not the model's.
        """
        preset = self._preset()
        if preset.mode is Mode.CUSTOM:
            names = class_names if self.label_nc in (None, model.label_nc) else ()
            preset = replace(preset, label_nc=model.label_nc, dont_care=model.dont_care, class_names=names)
        if preset.mode is Mode.SCENES and class_names:
            preset = replace(preset, label_nc=model.label_nc, dont_care=model.dont_care, class_names=class_names)
        changes = at_size(height, width) | self._given_changes(preset)
        if self.instances is None:
            changes["instance_edges"] = model.instance_edges and preset.mode in INSTANCE_MODES
        config = replace(preset, **changes)
        require_fitting(model, config, reference=reference)
        return config

    def _preset(self) -> DatasetConfig:
        if self.mode is None:
            raise ConfigError(f"no dataset was named; give --dataset, one of {', '.join(Mode)}")
        if self.dataroot is None and self.label_dir is None and self.mode != Mode.SCENES:
            raise ConfigError(f"--dataset {self.mode} needs --dataroot, the folder that holds it")
        return PRESETS[Mode(self.mode)](self.dataroot or "").dataset

    def _given_changes(self, preset: DatasetConfig) -> dict[str, Any]:
        changes = {
            "label_dir": self.label_dir,
            "image_dir": self.image_dir,
            "instance_dir": self.instance_dir,
            "label_nc": self.label_nc,
            "dont_care": self.dont_care,
            "instance_edges": self.instances,
            "class_names": self.class_names and split_names(self.class_names),
            "palette": self.palette,
            "ade20k_ids": self.ade20k_ids and Ade20kIds(self.ade20k_ids),
            "pairing_check": self.pairing_check,
            "max_dataset_size": self.limit,
        }
        given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
        if self.class_names is None and self.dataroot is not None and preset.mode is not Mode.SCENES:
            given |= _names_in(Path(self.dataroot), given.get("label_nc", preset.label_nc))
        return given


def _names_in(root: Path, label_nc: int) -> dict[str, Any]:
    """The class names that the dataset's own classes.csv gives, if it names all of them."""
    names = read_class_names(root)
    if set(range(label_nc)) <= names.keys():
        return {"class_names": tuple(names[class_id] for class_id in range(label_nc))}
    return {}


def require_fitting(model: GeneratorConfig, dataset: DatasetConfig, *, reference: str) -> None:
    """Raises ConfigError: where the classes of the dataset and of the model called `reference` differ."""
    for name, meaning in (("label_nc", "classes"), ("dont_care", "an unknown class")):
        ours, theirs = getattr(model, name), getattr(dataset, name)
        if ours != theirs:
            raise ConfigError(
                f"model {reference} and dataset {dataset.mode} differ in {meaning}: {name} is {ours} in the model, "
                f"{theirs} in the dataset"
            )


def at_size(height: int, width: int) -> dict[str, Any]:
    """The settings that make every sample of a dataset (height, width), uncropped: as the published code tests."""
    return {
        "preprocess": Preprocess.FIXED,
        "crop_size": width,
        "load_size": width,
        "aspect_ratio": width / height,
        "flip": False,
    }
