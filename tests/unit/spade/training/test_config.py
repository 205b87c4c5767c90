"""From what a user says to a whole configuration, and what is answered to what does not fit."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from spade.config import Upsampling
from spade.data.config import Mode, Preprocess
from spade.errors import ConfigError
from spade.records import record_to_mapping
from spade.training.config import TrainingConfig
from spade.training.presets import complete_config, with_size, with_value
from spade.training.toml_files import parse_value, to_toml


@pytest.mark.parametrize("mode", list(Mode))
def test_a_configuration_written_as_toml_reads_back_as_the_same(mode: Mode) -> None:
    config = complete_config({"dataset": {"mode": str(mode), "root": 'a "quoted" döner'}})
    assert complete_config(tomllib.loads(to_toml(record_to_mapping(config)))) == config


@pytest.mark.parametrize(("height", "width"), [(192, 256), (256, 192), (96, 672), (64, 1056)])
def test_a_size_is_that_of_samples_and_of_pictures(height: int, width: int) -> None:
    before = record_to_mapping(complete_config({"dataset": {"mode": "custom", "root": "data"}}))
    config = complete_config(with_size(before, height, width))
    assert config.dataset.size == (config.generator.height, config.generator.width) == (height, width)


@pytest.mark.parametrize(
    ("mode", "channels", "size", "batch_size", "upsampling"),
    [
        ("coco", 184, (256, 256), 1, Upsampling.NORMAL),
        ("ade20k", 151, (256, 256), 1, Upsampling.NORMAL),
        ("cityscapes", 36, (256, 512), 16, Upsampling.MORE),
        ("facades", 13, (256, 256), 1, Upsampling.NORMAL),
    ],
)
def test_a_dataset_mode_brings_the_published_defaults(
    mode: str, channels: int, size: tuple[int, int], batch_size: int, upsampling: Upsampling
) -> None:
    config = complete_config({"dataset": {"mode": mode, "root": "data"}})
    assert config.generator.semantic_channels == channels
    assert config.discriminator.in_channels == channels + 3
    assert (config.generator.height, config.generator.width) == size
    assert (config.batch_size, config.generator.upsampling) == (batch_size, upsampling)
    assert (config.optimizer.generator_rate, config.optimizer.discriminator_rate) == (1e-4, 4e-4)
    assert (config.losses.feature_matching, config.losses.perceptual, config.losses.kl) == (10, 10, 0.05)
    assert (config.schedule.epochs, config.schedule.decay_epochs, config.encoder) == (50, 0, None)


def test_an_encoder_section_alone_makes_a_vae() -> None:
    config = complete_config({"dataset": {"mode": "coco", "root": "data"}, "encoder": {}})
    assert config.encoder is not None
    assert config.encoder.latent_dim == config.generator.latent_dim == 256


def test_one_time_scale_brings_its_own_betas_unless_they_are_given() -> None:
    given: dict[str, Any] = {"dataset": {"mode": "coco", "root": "data"}, "optimizer": {"two_time_scales": False}}
    optimizer = complete_config(given).optimizer
    assert (optimizer.generator_rate, optimizer.discriminator_rate) == (2e-4, 2e-4)
    assert (optimizer.beta1, optimizer.beta2) == (0.5, 0.999)
    optimizer = complete_config(with_value(given, "optimizer.beta1", 0.0)).optimizer
    assert (optimizer.beta1, optimizer.beta2) == (0.0, 0.999)


def test_a_size_that_depends_on_the_files_has_to_be_said() -> None:
    given: dict[str, Any] = {"dataset": {"mode": "custom", "root": "data", "preprocess": str(Preprocess.NONE)}}
    with pytest.raises(ConfigError, match="generator: key 'height' is missing"):
        complete_config(given)
    assert complete_config(given | {"generator": {"height": 64, "width": 96}}).generator.width == 96


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("learning_rate", 1e-4, "unknown key 'learning_rate'; known keys are batch_size"),
        ("optimizer.learning_rate", "fast", "optimizer: learning_rate: expected float, found str 'fast'"),
        ("optimizer.learning_rate", 0, "learning_rate is 0.0; it must be above 0"),
        ("optimizer", 3, "optimizer must be a section, as in [optimizer]"),
        ("dataset.mode", "imagenet", "mode is 'imagenet'; choose one of coco"),
        ("generator.label_nc", 4, "generator: label_nc is 4, but dataset: label_nc is 13"),
        ("generator.height", 512, "its size is 256x512, but the dataset gives 256x256; leave height and width out"),
        ("generator.output_channels", 1, "output_channels is 1; pictures of datasets have 3"),
        ("discriminator.in_channels", 7, "in_channels is 7; semantics and pictures have 16 together"),
        ("encoder.in_channels", 0, "encoder: in_channels is 0"),
        ("batch_size", 0, "batch_size is 0; it must be at least 1"),
        ("device", "tpu", "device is 'tpu'; it must be one of auto, cpu"),
        ("ema.decay", 1, "ema: decay is 1.0; it must be from 0 to below 1"),
        ("init.gain", 0, "init: gain is 0.0; it must be above 0"),
        ("init.kind", "uniform", "'uniform' is not one of normal, xavier, xavier_uniform, kaiming, orthogonal, none"),
        ("intervals.log", 0, "intervals: log is 0; it must be at least 1"),
        ("intervals.keep_epochs", 0, "intervals: keep_epochs is 0; it must be at least 1"),
        ("validation", {"segmenter": "a", "patience": 0}, "validation: patience is 0; it must be at least 1"),
        ("validation", {"interval": 100}, "validation: key 'segmenter' is missing"),
        ("schedule.epochs", -1, "schedule: epochs -1"),
        ("step.discriminator_steps", 0, "step: discriminator_steps is 0; it must be at least 1"),
        ("step.precision", "int8", "'int8' is not one of float32, bfloat16, float16"),
    ],
)
def test_what_does_not_fit_is_named_with_what_would(key: str, value: object, message: str) -> None:
    given = with_value({"dataset": {"mode": "facades", "root": "data"}}, key, value)
    with pytest.raises(ConfigError) as refused:
        complete_config(given)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_latents_of_generator_and_encoder_have_to_agree() -> None:
    given = {"dataset": {"mode": "facades", "root": "d"}, "generator": {"latent_dim": 8}, "encoder": {"latent_dim": 9}}
    with pytest.raises(ConfigError, match="latent_dim is 8, but the encoder's is 9"):
        complete_config(given)


def test_a_pix2pixhd_generator_takes_its_channels_from_the_dataset_and_has_no_encoder() -> None:
    given: dict[str, Any] = {"dataset": {"mode": "coco", "root": "data"}, "pix2pixhd": {"blocks": 2}}
    config = complete_config(given)
    assert config.pix2pixhd is not None
    assert (config.pix2pixhd.label_nc, config.pix2pixhd.instance_edges) == (182, True)
    with pytest.raises(ConfigError, match="no latent; leave the encoder out"):
        complete_config(given | {"encoder": {}})
    with pytest.raises(ConfigError, match="this generator has no output_multiplier"):
        complete_config(given | {"generator": {"output_multiplier": 0.5}})
    with pytest.raises(ConfigError, match="pix2pixHD generator has none"):
        complete_config(given | {"recomputation": True})


def test_the_keys_that_the_readme_gives_for_published_options_exist() -> None:
    readme = (Path(__file__).parents[4] / "README.md").read_text(encoding="utf-8")
    _, _, *rows = readme.partition("| published | here |")[2].partition("\n\n")[0].splitlines()
    config = record_to_mapping(complete_config({"dataset": {"mode": "coco", "root": "data"}, "encoder": {}}))
    assert len(rows) > 8
    for row in rows:
        section = ""
        for name in re.findall(r"`([a-z0-9_]*\.?[a-z0-9_]+)[^`]*`", row.split("|")[2]):
            head, dot, key = name.rpartition(".")
            section = head or section
            assert (key in config[section]) if dot else (key in config), name


def test_the_batch_is_divided_among_processes_and_micro_batches(tiny_config: TrainingConfig) -> None:
    config = complete_config(with_value(record_to_mapping(tiny_config), "batch_size", 12))
    assert [config.micro_batch_size(processes) for processes in (1, 2, 3)] == [12, 6, 4]
    with pytest.raises(
        ConfigError, match="batch_size is 12; with 5 processes and accumulation 1 it must be a multiple"
    ):
        config.micro_batch_size(5)


def test_values_of_options_are_read_as_toml_or_else_as_text() -> None:
    assert [parse_value(text) for text in ("3", "1e-4", "true", '["a"]', "a/path")] == [3, 1e-4, True, ["a"], "a/path"]
    assert with_value({"a": {"b": 1}}, "a.c", 2) == {"a": {"b": 1, "c": 2}}
    with pytest.raises(ConfigError, match=r"a\.b: a is a value, not a section"):
        with_value({"a": 1}, "a.b", 2)


def test_the_rate_falls_in_a_line_after_the_full_epochs_as_published(tiny_config: TrainingConfig) -> None:
    schedule = complete_config(
        with_value(record_to_mapping(tiny_config), "schedule", {"epochs": 2, "decay_epochs": 4})
    ).schedule
    # After epoch e > 2 ends the rate falls by a quarter, so the third epoch still has all of it.
    assert [schedule.share(epoch) for epoch in range(1, 7)] == [1, 1, 1, 0.75, 0.5, 0.25]
