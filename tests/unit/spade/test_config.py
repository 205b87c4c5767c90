import dataclasses

import pytest

from spade.config import GeneratorConfig, Norm, Upsampling
from spade.errors import ConfigError

CITYSCAPES = GeneratorConfig(
    label_nc=35, dont_care=False, instance_edges=True, height=256, width=512, upsampling=Upsampling.MORE
)


def test_a_config_survives_the_way_through_json() -> None:
    config = dataclasses.replace(CITYSCAPES, latent_dim=7, norm=Norm.INSTANCE, kernel_size=5, output_multiplier=0.5)
    assert GeneratorConfig.from_dict(config.to_dict()) == config
    assert config.to_dict()["upsampling"] == "more"


def test_an_output_multiplier_of_1_is_not_written_so_that_files_are_as_before_there_was_one() -> None:
    assert "output_multiplier" not in CITYSCAPES.to_dict()
    assert GeneratorConfig.from_dict(CITYSCAPES.to_dict()).output_multiplier == 1


def test_semantic_channels_are_classes_then_unknown_then_edges() -> None:
    assert CITYSCAPES.semantic_channels == 36
    coco = GeneratorConfig(label_nc=182, dont_care=True, instance_edges=True, height=256, width=256)
    assert coco.semantic_channels == 184
    assert (coco.unknown_id, CITYSCAPES.unknown_id) == (182, None)


@pytest.mark.parametrize(("upsampling", "multiple"), [("normal", 32), ("more", 64), ("most", 128)])
def test_sizes_are_multiples_of_two_to_the_number_of_doublings(upsampling: str, multiple: int) -> None:
    config = dataclasses.replace(CITYSCAPES, upsampling=Upsampling(upsampling))
    assert config.size_multiple == multiple
    config.check_size(multiple, 3 * multiple)
    with pytest.raises(ConfigError, match=rf"{multiple + 1}x{multiple}.*multiples of {multiple}"):
        config.check_size(multiple, multiple + 1)
    with pytest.raises(ConfigError, match="0x"):
        config.check_size(multiple, 0)


def test_a_generator_with_a_latent_makes_only_its_own_size() -> None:
    config = dataclasses.replace(CITYSCAPES, latent_dim=8)
    config.check_size(256, 512)
    with pytest.raises(ConfigError, match=r"256x256.*only 512x256"):
        config.check_size(256, 256)


def test_instance_normalization_of_a_single_feature_is_refused() -> None:
    config = dataclasses.replace(CITYSCAPES, norm=Norm.INSTANCE)
    config.check_size(64, 128)
    with pytest.raises(ConfigError, match="128 or more"):
        config.check_size(64, 64)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"label_nc": -1}, "label_nc is -1"),
        ({"base_channels": 0}, "base_channels is 0"),
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"kernel_size": 4}, "kernel_size is 4"),
        ({"height": 250}, "512x250"),
        ({"output_multiplier": 0.0}, "output_multiplier is 0.0; it must be above 0 and at most 1"),
        ({"output_multiplier": 1.5}, "output_multiplier is 1.5"),
        ({"upsampling": Upsampling.MOST, "base_channels": 3}, "base_channels is 3"),
    ],
)
def test_a_config_that_cannot_be_built_is_refused(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        dataclasses.replace(CITYSCAPES, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"label_nc": "35"}, "label_nc: expected int, found str '35'"),
        ({"label_nc": True}, "label_nc: expected int, found bool True"),
        ({"dont_care": 1}, "dont_care: expected bool"),
        ({"norm": "layer"}, "norm: 'layer' is not one of batch, syncbatch, instance"),
        ({"ngf": 64}, "unknown key 'ngf'"),
    ],
)
def test_json_of_the_wrong_shape_is_refused_by_key(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        GeneratorConfig.from_dict(CITYSCAPES.to_dict() | changes)


def test_a_missing_key_is_named() -> None:
    data = CITYSCAPES.to_dict()
    del data["width"]
    with pytest.raises(ConfigError, match="'width' is missing"):
        GeneratorConfig.from_dict(data)


def test_json_that_is_no_object_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected an object, found list"):
        GeneratorConfig.from_dict([1])  # type: ignore[arg-type]
