"""Configurations check themselves, and the presets are the published ones."""

from dataclasses import replace

import pytest

from spade.config import Upsampling
from spade.data.config import Ade20kIds, DatasetConfig, Mode, Phase, Preprocess
from spade.data.opening import open_dataset
from spade.data.presets import PRESETS, custom, scenes
from spade.errors import ConfigError
from spade.records import record_from_mapping, record_to_mapping


@pytest.mark.parametrize(
    ("mode", "label_nc", "dont_care", "edges", "size"),
    [
        (Mode.COCO, 182, True, True, (256, 256)),
        (Mode.ADE20K, 150, True, False, (256, 256)),
        (Mode.CITYSCAPES, 35, False, True, (256, 512)),
        (Mode.FACADES, 13, False, False, (256, 256)),
        (Mode.CUSTOM, 13, False, False, (256, 256)),
        (Mode.SCENES, 13, True, False, (256, 256)),
    ],
)
def test_presets_are_the_published_ones(mode, label_nc, dont_care, edges, size):
    config = PRESETS[mode]("root").dataset
    assert (config.mode, config.label_nc, config.dont_care, config.instance_edges) == (mode, label_nc, dont_care, edges)
    assert config.size == size


def test_cityscapes_takes_bigger_steps_and_one_doubling_more():
    preset = PRESETS[Mode.CITYSCAPES]("root")
    assert (preset.batch_size, preset.upsampling) == (16, Upsampling.MORE)


def test_a_configuration_survives_json():
    config = replace(scenes().dataset, aspect_ratio=2.0)
    assert record_from_mapping(DatasetConfig, record_to_mapping(config), where="config") == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_nc": -1}, "label_nc is -1; it must be at least 1, or 0 for pictures as input"),
        ({"label_nc": 0, "dont_care": True}, "label_nc is 0, for pictures as input, which have no unknown class"),
        ({"label_nc": 0, "mode": Mode.FACADES}, "only mode custom has pictures as input, not facades"),
        ({"label_nc": 0, "palette": "colours.csv"}, "for pictures as input, which need no palette"),
        ({"label_nc": 0, "class_names": ("sky",)}, "1 class_names for label_nc 0"),
        ({"max_dataset_size": 0}, "max_dataset_size is 0"),
        ({"aspect_ratio": 0.0}, "aspect_ratio is 0.0"),
        ({"crop_size": 512}, "load_size is 286; with resize_and_crop it must be at least crop_size 512"),
        ({"class_names": ("sky",)}, "1 class_names for label_nc 13"),
        ({"image_dir": "pictures"}, "image_dir is given but label_dir is not"),
        ({"label_dir": "l", "instance_edges": True}, "instance_edges needs instance_dir"),
        ({"root": ""}, "mode custom needs root"),
        ({"mode": Mode.COCO, "label_dir": "l"}, "label_dir is for mode custom only"),
        ({"mode": Mode.FACADES, "instance_edges": True}, "mode facades has no instance maps"),
        ({"ade20k_ids": Ade20kIds.SHIFTED}, "ade20k_ids is for mode ade20k only"),
        ({"mode": Mode.SCENES}, "mode scenes needs class_names"),
    ],
)
def test_a_contradiction_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        replace(custom("root").dataset, **changes)


def test_unknown_is_the_id_after_the_classes_or_none():
    config = custom("root").dataset
    assert config.unknown_id is None
    assert replace(config, dont_care=True).unknown_id == 13


def test_unknown_of_ade20k_is_0_as_stored_and_150_when_shifted():
    config = PRESETS[Mode.ADE20K]("root").dataset
    assert config.unknown_id == 0
    assert replace(config, ade20k_ids=Ade20kIds.SHIFTED).unknown_id == 150


def test_the_size_is_not_known_where_it_depends_on_the_files():
    assert replace(custom("root").dataset, preprocess=Preprocess.SCALE_WIDTH).size is None


@pytest.mark.parametrize(("limit", "trained", "validated"), [(None, 50, 5), (7, 7, 5), (2, 2, 2)])
def test_a_limit_bounds_the_scenes_of_each_phase(limit: int | None, trained: int, validated: int) -> None:
    config = replace(scenes().dataset, scenes=50, max_dataset_size=limit)
    assert len(open_dataset(config, Phase.TRAIN)) == trained
    assert len(open_dataset(config, Phase.VAL)) == validated
