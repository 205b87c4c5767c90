"""Samples from files: what they hold, and that a key settles them."""

from dataclasses import replace

import numpy as np
import pytest

from spade.data.config import Mode, Phase, Preprocess
from spade.data.dataset import LabelledPictures
from spade.data.errors import DatasetError
from spade.data.opening import open_dataset
from spade.data.presets import PRESETS, coco, custom
from spade.data.samples import SampleKey
from spade.data.scenes.dataset import Scenes


def small(mode, tree, **changes):
    return replace(PRESETS[mode](str(tree.root)).dataset, load_size=24, crop_size=16, **changes)


def fill(tree, mode):
    """One sample to train with, in the layout of the mode."""
    size = (20, 30)
    match mode:
        case Mode.COCO:
            tree.pairs("1", size=size)
            tree.ids("train_inst/1.png", 300, size)
        case Mode.ADE20K:
            tree.ids("a/ADE_train_1.png", 1, size)
            tree.picture("a/ADE_train_1.jpg", size=size)
        case Mode.CITYSCAPES:
            for kind in ("labelIds", "instanceIds"):
                tree.ids(f"gtFine/train/x/x_0_0_gtFine_{kind}.png", 1, size)
            tree.picture("leftImg8bit/train/x/x_0_0_leftImg8bit.png", size=size)
        case _:
            tree.pairs("1", size=size)


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.SCENES])
def test_every_mode_gives_samples(tree, mode):
    fill(tree, mode)
    config = small(mode, tree)
    (sample,) = [LabelledPictures(config, Phase.TRAIN)[SampleKey(0, 0)]]
    size = (8, 16) if mode is Mode.CITYSCAPES else (16, 16)
    assert (sample.labels.dtype, sample.labels.shape) == (np.int64, size)
    assert (sample.picture.dtype, sample.picture.shape) == (np.float32, (3, *size))
    assert -1 <= sample.picture.min() <= sample.picture.max() <= 1
    assert (sample.instances is not None) == (mode in (Mode.COCO, Mode.CITYSCAPES))
    if sample.instances is not None:
        assert (sample.instances.dtype, sample.instances.shape) == (np.int64, size)


def test_label_maps_alone_are_enough_for_testing(tree):
    tree.ids("val_label/1.png", 1)
    sample = LabelledPictures(small(Mode.FACADES, tree), Phase.VAL, pictures=False)[SampleKey(0, 0)]
    assert sample.picture is None
    assert sample.labels.shape == (16, 16)


def varied(tree, count=2):
    random = np.random.default_rng(1)
    for number in range(count):
        tree.ids(f"train_label/{number}.png", random.integers(0, 13, (40, 40)))
        tree.picture(f"train_img/{number}.png", random.integers(0, 256, (40, 40, 3)))


def test_a_key_and_a_seed_settle_a_sample(tree):
    varied(tree)
    config = small(Mode.CUSTOM, tree)
    keys = [SampleKey(epoch, index) for epoch in range(3) for index in range(2)]
    first = {key: LabelledPictures(config, Phase.TRAIN, seed=7)[key] for key in keys}
    again = LabelledPictures(config, Phase.TRAIN, seed=7)
    for key in reversed(keys):
        assert np.array_equal(first[key].labels, again[key].labels)
        assert np.array_equal(first[key].picture, again[key].picture)


def test_a_map_with_more_borders_is_more_work(tree):
    tree.ids("val_label/1.png", 1)
    tree.ids("val_label/2.png", np.arange(600).reshape(20, 30) % 7)
    plain, detailed = LabelledPictures(small(Mode.FACADES, tree), Phase.VAL, pictures=False).work()
    assert 0 < plain < detailed


def test_epochs_and_seeds_cut_differently(tree):
    varied(tree)
    config = small(Mode.CUSTOM, tree)
    data = LabelledPictures(config, Phase.TRAIN, seed=7)
    epochs = {data[SampleKey(epoch, 0)].labels.tobytes() for epoch in range(6)}
    seeds = {LabelledPictures(config, Phase.TRAIN, seed=seed)[SampleKey(0, 0)].labels.tobytes() for seed in range(6)}
    assert len(epochs) > 3
    assert len(seeds) > 3


def test_validation_is_always_cut_alike(tree):
    tree.ids("val_label/1.png", np.arange(1600).reshape(40, 40) % 13)
    tree.picture("val_img/1.png", size=(40, 40))
    data = LabelledPictures(small(Mode.CUSTOM, tree), Phase.VAL)
    assert np.array_equal(data[SampleKey(0, 0)].labels, data[SampleKey(5, 0)].labels)


@pytest.mark.parametrize(("dont_care", "outside"), [(True, 13), (False, 0)])
def test_past_the_edge_is_unknown_where_the_dataset_has_it(tree, dont_care, outside):
    tree.pairs("1", size=(8, 8))
    config = small(Mode.CUSTOM, tree, preprocess=Preprocess.CROP, dont_care=dont_care, flip=False)
    sample = LabelledPictures(config, Phase.TRAIN)[SampleKey(0, 0)]
    assert (sample.labels[:8, :8] == 1).all()
    assert (sample.labels[8:] == outside).all()
    assert (sample.picture[:, 8:] == -1).all()


def test_a_picture_of_higher_resolution_is_fine(tree):
    tree.ids("train_label/1.png", 1, (20, 30))
    tree.picture("train_img/1.png", size=(40, 60))
    assert LabelledPictures(small(Mode.CUSTOM, tree), Phase.TRAIN)[SampleKey(0, 0)].labels.shape == (16, 16)


def test_a_picture_of_another_shape_is_refused(tree):
    tree.ids("train_label/1.png", 1, (20, 30))
    tree.picture("train_img/1.png", size=(30, 20))
    with pytest.raises(DatasetError, match="the picture is 20x30, but the label map 30x20 pixels"):
        LabelledPictures(small(Mode.CUSTOM, tree), Phase.TRAIN)[SampleKey(0, 0)]


def test_an_instance_map_of_another_size_is_refused(tree):
    fill(tree, Mode.COCO)
    tree.ids("train_inst/1.png", 1, (5, 5))
    with pytest.raises(DatasetError, match="the instance map is 5x5, but the label map 30x20 pixels"):
        LabelledPictures(small(Mode.COCO, tree), Phase.TRAIN)[SampleKey(0, 0)]


def test_a_configuration_opens_whichever_dataset_it_names(tree):
    tree.pairs("1")
    assert isinstance(open_dataset(small(Mode.CUSTOM, tree), Phase.TRAIN), LabelledPictures)
    assert isinstance(open_dataset(PRESETS[Mode.SCENES]("").dataset, Phase.TRAIN), Scenes)


def test_camvid_is_read_as_it_lies(shared):
    config = replace(custom(str(shared("camvid"))).dataset, label_nc=11, dont_care=True, preprocess=Preprocess.FIXED)
    data = LabelledPictures(replace(config, aspect_ratio=4 / 3), Phase.TRAIN)
    assert len(data) == 367
    assert len(LabelledPictures(config, Phase.VAL)) == 101
    sample = data[SampleKey(0, 0)]
    assert sample.picture.shape == (3, 192, 256)
    assert set(np.unique(sample.labels)) <= set(range(12))


def test_coco_is_read_as_it_lies(shared):
    config = coco(str(shared("coco_stuff_sample"))).dataset
    for phase, count in ((Phase.TRAIN, 13), (Phase.VAL, 8)):
        data = LabelledPictures(config, phase)
        assert len(data) == count
        samples = [data[SampleKey(0, index)] for index in range(count)]
        assert all(sample.instances.shape == sample.labels.shape == (256, 256) for sample in samples)
        assert max(sample.labels.max() for sample in samples) == 182
