"""Datasets of pictures to make from pictures: label_nc 0."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from spade.data.config import Phase, Preprocess
from spade.data.dataset import LabelledPictures
from spade.data.errors import DatasetError
from spade.data.presets import custom
from spade.data.samples import SampleKey, collate_training
from spade.data.shown import shown_input
from spade.data.transforms import picture_to_floats


def paired(tree, count=1, *, size=(40, 40)):
    """The picture to make is the negative of the input, so that whatever cuts both alike shows."""
    random = np.random.default_rng(1)
    for number in range(count):
        pixels = random.integers(0, 256, (*size, 3))
        tree.picture(f"train_label/{number}.png", pixels)
        tree.picture(f"train_img/{number}.png", 255 - pixels)
    return replace(custom(str(tree.root)).dataset, label_nc=0, load_size=24, crop_size=16)


def test_the_input_is_resized_cut_and_mirrored_as_its_picture(tree):
    data = LabelledPictures(paired(tree), Phase.TRAIN)
    samples = [data[SampleKey(epoch, 0)] for epoch in range(6)]
    for sample in samples:
        assert (sample.labels.dtype, sample.labels.shape) == (np.float32, (3, 16, 16))
        assert np.abs(sample.labels + sample.picture).max() < 0.02, "one is the other's negative, rounding apart"
    assert not np.array_equal(samples[0].labels, samples[1].labels)


def test_the_input_is_resized_by_bicubic_as_photographs_are(tree):
    config = replace(paired(tree), preprocess=Preprocess.FIXED, flip=False)
    sample = LabelledPictures(config, Phase.TRAIN)[SampleKey(0, 0)]
    with Image.open(tree.root / "train_label/0.png") as picture:
        expected = picture.resize((16, 16), Image.Resampling.BICUBIC)
    assert np.array_equal(sample.labels, picture_to_floats(np.asarray(expected)))


def test_jpegs_and_grey_pictures_are_inputs_too_and_instance_maps_lie_beside(tree):
    tree.picture("train_label/1.jpg")
    tree.picture("train_img/1.png")
    tree.ids("train_inst/1.png", 7)
    tree.ids("train_label/2.png", 200)
    tree.picture("train_img/2.png")
    tree.ids("train_inst/2.png", 9)
    config = replace(custom(str(tree.root)).dataset, label_nc=0, instance_edges=True, load_size=8, crop_size=8)
    data = LabelledPictures(config, Phase.TRAIN)
    batch = collate_training([data[SampleKey(0, index)] for index in range(2)])
    assert batch.labels.shape == batch.pictures.shape == (2, 3, 8, 8)
    assert batch.instances is not None
    assert batch.instances.unique().tolist() == [7, 9]


def test_inputs_of_other_shapes_and_mixed_sizes_are_refused_as_label_maps_are(tree):
    config = replace(paired(tree), preprocess=Preprocess.NONE)
    tree.picture("train_label/1.png", size=(40, 90))
    tree.picture("train_img/1.png", size=(40, 40))
    data = LabelledPictures(config, Phase.TRAIN)
    with pytest.raises(DatasetError, match="they are of different shapes"):
        data[SampleKey(0, 1)]
    tree.picture("train_img/1.png", size=(40, 90))
    with pytest.raises(DatasetError, match="0 is 32x32 and 1 is 96x32"):
        collate_training([data[SampleKey(0, index)] for index in range(2)])


def test_people_are_shown_the_picture_that_the_model_read():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert np.array_equal(shown_input(picture_to_floats(pixels), {}), pixels)
    assert shown_input(np.array([[1]]), {1: 0x0102FF}).tolist() == [[[1, 2, 255]]]
