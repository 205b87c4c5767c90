"""Landscapes: settled by their seed, of known classes, different by weather, and quick."""

import time
from dataclasses import replace

import numpy as np
import pytest

from spade.data.config import Phase, Preprocess
from spade.data.errors import DatasetError
from spade.data.presets import scenes
from spade.data.samples import SampleKey
from spade.data.scenes.classes import LOOKS, SCENE_CLASSES, Material, SceneClass
from spade.data.scenes.dataset import Scenes, SceneSettings
from spade.data.scenes.plan import Kind
from spade.data.scenes.scene import draw_scene
from spade.data.scenes.sprites import SpriteKind, sprites
from spade.data.scenes.variant import Variant

SIZE = {"height": 96, "width": 96}


def classes_in(scene):
    return {SceneClass(number) for number in np.unique(scene.labels)}


def test_a_seed_settles_a_scene():
    one, other = draw_scene(5, **SIZE), draw_scene(5, **SIZE)
    assert one.picture.tobytes() == other.picture.tobytes()
    assert one.labels.tobytes() == other.labels.tobytes()
    assert one.variant is other.variant


def test_seeds_draw_different_scenes():
    assert len({draw_scene(seed, **SIZE).picture.tobytes() for seed in range(12)}) == 12


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("variant", list(Variant))
def test_every_kind_is_drawn_in_every_weather(kind, variant):
    scene = draw_scene(3, variant=variant, kind=kind, **SIZE)
    assert scene.variant is variant
    assert (scene.picture.dtype, scene.picture.shape) == (np.uint8, (96, 96, 3))
    assert (scene.labels.dtype, scene.labels.shape) == (np.uint8, (96, 96))
    assert scene.labels.max() < len(SceneClass)
    assert scene.picture.std() > 4


def test_all_classes_occur():
    seen = set()
    for seed in range(60):
        seen |= classes_in(draw_scene(seed, height=64, width=64))
    assert seen == set(SceneClass)


def test_weathers_differ_in_brightness_and_share_the_place():
    by_variant = {
        variant: [draw_scene(seed, variant=variant, kind=Kind.MEADOW, **SIZE) for seed in range(5)]
        for variant in Variant
    }
    light = {variant: np.mean([one.picture.mean() for one in many]) for variant, many in by_variant.items()}
    assert light[Variant.NIGHT] < 0.6 * light[Variant.SUNSET]
    assert light[Variant.SUNSET] < light[Variant.DAY] < light[Variant.WINTER]
    for day, night in zip(by_variant[Variant.DAY], by_variant[Variant.NIGHT], strict=True):
        assert (day.labels == night.labels).mean() > 0.99


def test_only_winter_covers_the_ground_with_snow_and_only_fog_shows_fog():
    for seed in range(6):
        winter = draw_scene(seed, variant=Variant.WINTER, kind=Kind.MEADOW, **SIZE)
        assert SceneClass.GRASS not in classes_in(winter)
        assert SceneClass.FOG not in classes_in(winter)
    assert any(SceneClass.FOG in classes_in(draw_scene(seed, variant=Variant.FOG, **SIZE)) for seed in range(6))


@pytest.mark.parametrize(
    ("kind", "present"),
    [
        (Kind.COAST, SceneClass.SEA),
        (Kind.LAKE, SceneClass.RIVER),
        (Kind.RIVER, SceneClass.RIVER),
        (Kind.ROAD, SceneClass.ROAD),
        (Kind.DUNES, SceneClass.SAND),
    ],
)
def test_a_kind_shows_what_it_is_about(kind, present):
    for seed in range(4):
        labels = draw_scene(seed, kind=kind, variant=Variant.DAY, **SIZE).labels
        assert (labels == present).mean() > 0.01


def test_labels_agree_with_what_is_drawn():
    """Within a few pixels of one class colours differ far less than across a border of classes."""
    within, across = [], []
    for seed in range(10):
        scene = draw_scene(seed, variant=Variant.DAY, height=128, width=128)
        step = np.abs(np.diff(scene.picture.astype(int), axis=0)).sum(axis=-1)
        border = scene.labels[1:] != scene.labels[:-1]
        within.append(step[~border].mean())
        across.append(step[border].mean())
    assert np.mean(across) > 4 * np.mean(within)


def test_grass_is_green_by_day_and_snow_is_bright():
    greens, snows = [], []
    for seed in range(20):
        day = draw_scene(seed, variant=Variant.DAY, kind=Kind.MEADOW, **SIZE)
        greens.append(day.picture[day.labels == SceneClass.GRASS].mean(axis=0))
        winter = draw_scene(seed, variant=Variant.WINTER, kind=Kind.MEADOW, **SIZE)
        snows.append(winter.picture[winter.labels == SceneClass.SNOW].mean())
    red, green, blue = np.mean(greens, axis=0)
    assert green > red > blue
    assert np.mean(snows) > 150


@pytest.mark.parametrize(("height", "width"), [(64, 160), (160, 64), (33, 47)])
def test_scenes_are_drawn_at_any_size(height, width):
    for seed in range(4):
        scene = draw_scene(seed, height=height, width=width)
        assert scene.labels.shape == (height, width)
        assert scene.picture.shape == (height, width, 3)


def test_scenes_are_quick():
    draw_scene(0)
    began = time.process_time()
    for seed in range(10):
        draw_scene(seed)
    assert (time.process_time() - began) / 10 < 0.12  # seconds; about 0.02 on a machine that does nothing else


def test_sprites_stand_on_their_foot_and_are_partly_clear():
    for kind in SpriteKind:
        for sprite in sprites(kind):
            alpha = np.asarray(sprite)[..., 3]
            assert 0.02 < (alpha > 127).mean() < 0.95
            assert (alpha[-24:] > 127).any()


def test_every_material_has_a_look():
    assert list(LOOKS) == list(Material)


def settings(**changes):
    ids = {name: number for number, name in enumerate(SCENE_CLASSES)}
    return SceneSettings(**{"height": 64, "width": 64, "class_ids": ids, "scenes": 10} | changes)


def test_samples_have_the_ids_of_the_classes():
    data = Scenes(settings(variant=Variant.DAY))
    assert len(data) == 10
    seen = set()
    for index in range(10):
        sample = data[SampleKey(0, index)]
        assert sample.picture.shape == (3, 64, 64)
        seen |= {SCENE_CLASSES[number] for number in np.unique(sample.labels)}
    assert {"sky", "tree"} <= seen <= set(SCENE_CLASSES)


def test_every_epoch_draws_new_scenes():
    data = Scenes(settings())
    assert data[SampleKey(0, 9)].name == "scene_000000000009"
    assert data[SampleKey(1, 0)].name == "scene_000000000010"


def test_validation_never_shows_what_is_trained_on():
    config = scenes().dataset
    training, validation = Scenes.of(config, Phase.TRAIN, seed=3), Scenes.of(config, Phase.VAL, seed=3)
    assert (len(training), len(validation)) == (10_000, 1_000)
    assert training.settings.first_seed + 1_000 * len(training) < validation.settings.first_seed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 16}, "scenes are drawn at 32 pixels a side or more: 64x16"),
        ({"scenes": 0}, "scenes must be 1 or more"),
        ({"class_ids": {"sky": 0}}, "scenes show classes that have no id: clouds, fog"),
    ],
)
def test_settings_that_cannot_be_drawn_are_refused(changes, message):
    with pytest.raises(DatasetError, match=message):
        settings(**changes)


def test_scenes_need_one_size():
    config = replace(scenes().dataset, preprocess=Preprocess.NONE)
    with pytest.raises(DatasetError, match="choose preprocess fixed, not none"):
        Scenes.of(config, Phase.TRAIN)


def test_what_fog_and_haze_hide_is_labelled_as_fog():
    labels = np.concatenate([draw_scene(seed, variant=Variant.FOG).labels.ravel() for seed in range(124, 130)])
    assert SceneClass.FOG in labels
    assert SceneClass.MOUNTAIN not in labels
