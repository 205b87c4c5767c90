"""One geometry for all three maps of a sample."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from spade.data.config import Preprocess
from spade.data.presets import custom
from spade.data.transforms import cut_ids, cut_picture, picture_to_floats, plan_geometry


def config_of(preprocess, **changes):
    return replace(custom("root").dataset, preprocess=preprocess, **{"load_size": 48, "crop_size": 32} | changes)


def ramp(height, width):
    """Ids that name their place, and a picture that shows them as grey."""
    ids = (np.arange(height)[:, None] * 16 + np.arange(width)[None, :]) % 251
    return ids.astype(np.int64), Image.fromarray(np.repeat(ids[..., None], 3, axis=-1).astype(np.uint8))


def as_ids(picture):
    return np.round((picture[0] + 1) * 127.5).astype(np.int64)


@pytest.mark.parametrize(
    ("preprocess", "size"),
    [
        (Preprocess.RESIZE_AND_CROP, (32, 32)),
        (Preprocess.CROP, (32, 32)),
        (Preprocess.SCALE_WIDTH, (60, 48)),
        (Preprocess.SCALE_WIDTH_AND_CROP, (32, 32)),
        (Preprocess.SCALE_SHORTSIDE, (60, 48)),
        (Preprocess.SCALE_SHORTSIDE_AND_CROP, (32, 32)),
        (Preprocess.FIXED, (16, 32)),
        (Preprocess.NONE, (96, 64)),
    ],
)
def test_every_preprocess_mode_gives_its_size(preprocess, size):
    config = config_of(preprocess, aspect_ratio=2.0)
    ids, picture = ramp(100, 80)
    geometry = plan_geometry(config, 100, 80, np.random.default_rng(0))
    assert cut_ids(ids, geometry, outside=0).shape == size
    assert cut_picture(picture, geometry).shape == (3, *size)
    assert config.size in (None, size)


def test_shortside_takes_the_shorter_side():
    geometry = plan_geometry(config_of(Preprocess.SCALE_SHORTSIDE), 50, 100, None)
    assert (geometry.height, geometry.width) == (48, 96)


def test_none_keeps_at_least_one_multiple_of_32():
    geometry = plan_geometry(config_of(Preprocess.NONE), 10, 50, None)
    assert (geometry.height, geometry.width) == (32, 64)


@pytest.mark.parametrize("seed", range(8))
def test_a_crop_and_a_flip_are_the_same_for_all_maps(seed):
    ids, picture = ramp(60, 70)
    geometry = plan_geometry(config_of(Preprocess.CROP), 60, 70, np.random.default_rng(seed))
    labels = cut_ids(ids, geometry, outside=0)
    assert np.array_equal(labels, as_ids(cut_picture(picture, geometry)))
    assert np.array_equal(labels, cut_ids(ids, geometry, outside=7))


def test_crops_reach_every_place_and_half_are_mirrored():
    random = np.random.default_rng(5)
    plans = [plan_geometry(config_of(Preprocess.CROP), 34, 35, random) for _ in range(400)]
    assert {plan.window.top for plan in plans} == {0, 1, 2}
    assert {plan.window.left for plan in plans} == {0, 1, 2, 3}
    assert 150 < sum(plan.mirrored for plan in plans) < 250


def test_nothing_is_mirrored_where_flips_are_off():
    random = np.random.default_rng(5)
    assert not any(plan_geometry(config_of(Preprocess.FIXED, flip=False), 9, 9, random).mirrored for _ in range(50))


def test_testing_takes_all_of_the_sample_and_draws_nothing():
    plan = plan_geometry(config_of(Preprocess.RESIZE_AND_CROP), 100, 80, None)
    assert (plan.height, plan.width, plan.window.top, plan.window.left, plan.mirrored) == (32, 32, 0, 0, False)


def test_testing_crops_the_middle():
    plan = plan_geometry(config_of(Preprocess.CROP), 42, 36, None)
    assert (plan.window.top, plan.window.left) == (5, 2)


def test_past_the_edge_labels_are_what_is_said_and_pictures_are_black():
    ids, picture = ramp(20, 40)
    geometry = plan_geometry(config_of(Preprocess.CROP), 20, 40, None)
    labels = cut_ids(ids, geometry, outside=250)
    assert np.array_equal(labels[:20], ids[:, 4:36])
    assert (labels[20:] == 250).all()
    assert (cut_picture(picture, geometry)[:, 20:] == -1).all()


def test_ids_are_resized_as_pillow_does_by_nearest():
    ids, _ = ramp(37, 53)
    geometry = plan_geometry(config_of(Preprocess.RESIZE_AND_CROP, load_size=41, crop_size=41), 37, 53, None)
    wanted = Image.fromarray(ids.astype(np.uint8)).resize((41, 41), Image.Resampling.NEAREST)
    assert np.array_equal(cut_ids(ids, geometry, outside=0), np.asarray(wanted))


def test_pictures_are_resized_as_pillow_does_by_bicubic():
    _, picture = ramp(37, 53)
    geometry = plan_geometry(config_of(Preprocess.FIXED), 37, 53, None)
    wanted = np.asarray(picture.resize((32, 32), Image.Resampling.BICUBIC))
    assert np.array_equal(as_ids(cut_picture(picture, geometry)), wanted[..., 0])


def test_floats_run_from_minus_one_to_one():
    floats = picture_to_floats(np.array([[[0, 51, 255]]], dtype=np.uint8))
    assert floats.shape == (3, 1, 1)
    assert floats.dtype == np.float32
    assert floats.reshape(-1).tolist() == pytest.approx([-1, -0.6, 1])
