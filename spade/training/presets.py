"""From the few things that a user says to a whole configuration, with the published defaults of each dataset mode."""

from collections.abc import Mapping
from typing import Any

from spade.config import EncoderConfig
from spade.data.config import DatasetConfig, Mode, Preprocess
from spade.data.presets import PRESETS, Preset
from spade.errors import ConfigError
from spade.records import record_from_mapping, record_to_mapping
from spade.semantics_form import PICTURE_CHANNELS, semantic_channels
from spade.training.config import TrainingConfig

Given = Mapping[str, Any]
"""Parts of a configuration, as TOML reads them."""

_SECTIONS = ("dataset", "generator", "discriminator", "pix2pixhd", "optimizer")
"""Those that are completed here; what is left out of the others has their own defaults."""

_ONE_TIME_SCALE = {"beta1": 0.5, "beta2": 0.999}
"""The published betas where both players learn at one rate."""


def complete_config(given: Given, *, where: str = "configuration") -> TrainingConfig:
    """The configuration that `given` describes; what it leaves out follows from its dataset.

    `where` names what is given in errors.

    Raises ConfigError: for a missing or unknown key, a value that does not fit, or parts that contradict one another.
    """
    given = {key: value for key, value in given.items() if value is not None}
    sections = {name: _section(given, name, where) for name in _SECTIONS}
    preset = _preset(sections["dataset"], where)
    completed = dict(given)
    completed["dataset"] = record_to_mapping(preset.dataset) | {"root": ""} | sections["dataset"]
    dataset = record_from_mapping(DatasetConfig, completed["dataset"], where=f"{where}: dataset")

    generator = _generator_of(dataset, preset) | sections["generator"]
    if "encoder" in given or generator.get("latent_dim") is not None:
        encoder = _section(given, "encoder", where)
        default = generator.get("latent_dim") or EncoderConfig.__dataclass_fields__["latent_dim"].default
        completed["encoder"] = {"latent_dim": default} | encoder
        generator = {"latent_dim": completed["encoder"]["latent_dim"]} | generator
    completed["generator"] = generator

    channels = semantic_channels(dataset) + PICTURE_CHANNELS
    if sections["optimizer"].get("two_time_scales") is False:
        completed["optimizer"] = _ONE_TIME_SCALE | sections["optimizer"]
    completed["discriminator"] = {"in_channels": channels} | sections["discriminator"]
    if "pix2pixhd" in given:
        completed["pix2pixhd"] = _form_of(dataset) | sections["pix2pixhd"]
    return record_from_mapping(TrainingConfig, {"batch_size": preset.batch_size} | completed, where=where)


def with_value(given: Given, key: str, value: object) -> dict[str, Any]:
    """`given` with `value` at `key`, a path such as `optimizer.learning_rate`."""
    head, _, rest = key.partition(".")
    if not rest:
        return {**given, head: value}
    inside = given.get(head, {})
    if not isinstance(inside, Mapping):
        raise ConfigError(f"{key}: {head} is a value, not a section")
    return {**given, head: with_value(inside, rest, value)}


def with_size(given: Given, height: int, width: int) -> dict[str, Any]:
    """`given` with pictures of `height` x `width` pixels, to which samples are resized."""
    values = {
        "dataset.preprocess": str(Preprocess.FIXED),
        "dataset.crop_size": width,
        "dataset.aspect_ratio": width / height,
        "generator.height": height,
        "generator.width": width,
    }
    for key, value in values.items():
        given = with_value(given, key, value)
    return dict(given)


def _section(given: Given, name: str, where: str) -> dict[str, Any]:
    section = given.get(name, {})
    if not isinstance(section, Mapping):
        raise ConfigError(f"{where}: {name} must be a section, as in [{name}]")
    return dict(section)


def _preset(dataset: Given, where: str) -> Preset:
    mode = dataset.get("mode")
    if mode not in list(Mode):
        said = "the dataset's mode is missing" if mode is None else f"dataset: mode is {mode!r}"
        raise ConfigError(f"{where}: {said}; choose one of {', '.join(Mode)}")
    # A preset wants a root, which a dataset of named folders does not have.
    return PRESETS[Mode(mode)](str(dataset.get("root") or "."))


def _generator_of(dataset: DatasetConfig, preset: Preset) -> dict[str, Any]:
    derived = _form_of(dataset)
    if dataset.size is not None:
        derived["height"], derived["width"] = dataset.size
    return derived | {"upsampling": str(preset.upsampling)}


def _form_of(dataset: DatasetConfig) -> dict[str, Any]:
    return {name: getattr(dataset, name) for name in ("label_nc", "dont_care", "instance_edges")}
