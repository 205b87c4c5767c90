"""What pixels see, held against looking along each line of sight one after the other; and what a tree covers."""

from dataclasses import replace

import numpy as np
import pytest

from spade.data.scenes.canvas import Canvas
from spade.data.scenes.classes import SceneClass
from spade.data.scenes.light import color
from spade.data.scenes.objects import Thing, mirror_things, paint_things
from spade.data.scenes.plan import Kind, draw_plan
from spade.data.scenes.sprites import SpriteKind, sprites
from spade.data.scenes.terrain import Ground, Zone, build_ground, see
from spade.data.scenes.variant import Variant
from spade.data.scenes.view import View

VIEW = View(height=48, width=12, horizon=18.3, focal=40.0, eye=3.0)


def ground_of(surface, distances):
    surface, distances = surface.astype(np.float32), distances.astype(np.float32)
    return Ground(
        distances=distances,
        across=distances[:, None] * VIEW.slopes_across(),
        bed=surface,
        surface=surface,
        zones=np.zeros(surface.shape, dtype=np.uint8),
    )


def looked_along(ground, row, column):
    """The distance at which the line of sight of a pixel first meets the ground, or None."""
    fall = (row + 0.5 - VIEW.horizon) / VIEW.focal
    heights = ground.surface[:, column].astype(float)
    gaps = VIEW.eye - fall * ground.distances.astype(float) - heights
    for number in range(1, len(gaps)):
        if gaps[number] <= 0:
            share = gaps[number - 1] / (gaps[number - 1] - gaps[number])
            return ground.distances[number - 1] + share * (ground.distances[number] - ground.distances[number - 1])
    return None


def test_a_plain_is_seen_at_its_distance():
    distances = np.geomspace(1.5, 100_000, 60)
    sight = see(VIEW, ground_of(np.zeros((60, VIEW.width)), distances))
    rows = np.arange(sight.top, VIEW.height)[:, None] + 0.5
    wanted = VIEW.focal * VIEW.eye / (rows - VIEW.horizon)
    assert sight.hit.sum() == sight.hit.size - np.count_nonzero(rows[:, 0] <= VIEW.horizon) * VIEW.width
    assert np.allclose(sight.distance[sight.hit], np.broadcast_to(wanted, sight.hit.shape)[sight.hit], rtol=1e-3)
    assert np.allclose(sight.elevation[sight.hit], 0, atol=0.2)


@pytest.mark.parametrize("seed", range(6))
def test_hills_are_seen_as_along_each_line_of_sight(seed):
    random = np.random.default_rng(seed)
    distances = np.geomspace(1.0, 2_000, 50)
    heights = np.cumsum(random.normal(0, 1, (50, VIEW.width)), axis=0) * np.linspace(0, 4, 50)[:, None]
    heights[0] = 0
    ground = ground_of(heights, distances)
    sight = see(VIEW, ground)
    for row in range(VIEW.height):
        for column in range(VIEW.width):
            wanted = looked_along(ground, row, column)
            if row < sight.top:
                assert wanted is None
            elif wanted is None:
                assert not sight.hit[row - sight.top, column]
            else:
                assert sight.hit[row - sight.top, column]
                assert sight.distance[row - sight.top, column] == pytest.approx(wanted, rel=2e-3)


@pytest.mark.parametrize("kind", list(SpriteKind))
def test_a_label_begins_where_a_thing_covers_half_of_a_pixel(kind):
    plan = draw_plan(np.random.default_rng(1), height=96, width=96, variant=Variant.DAY, kind=Kind.MEADOW)
    bright = 100.0
    canvas = Canvas(
        colors=np.full((3, 96, 96), bright, dtype=np.float32),
        labels=np.full((96, 96), SceneClass.SKY, dtype=np.uint8),
        distance=np.full((96, 96), np.inf, dtype=np.float32),
    )
    distance = plan.view.focal * plan.view.eye / 30
    thing = Thing(
        sprite=sprites(kind)[0],
        kind=kind,
        x=0.0,
        distance=distance,
        foot=0.0,
        height=plan.view.eye * 1.2,
        tint=color(0.1, 0.1, 0.1),
    )
    paint_things(canvas, plan, [thing])
    covered = 1 - canvas.colors[1] / bright
    labelled = canvas.labels == (SceneClass.ROCK if kind is SpriteKind.ROCK else SceneClass.TREE)
    assert labelled.sum() > 50
    assert (covered[labelled] > 0.48).all()
    assert (covered[~labelled] < 0.51).all()
    assert (canvas.distance[labelled] == np.float32(distance)).all()


def test_a_rock_in_water_is_cut_off_at_the_surface_which_mirrors_it():
    plan = draw_plan(np.random.default_rng(1), height=96, width=96, variant=Variant.DAY, kind=Kind.LAKE)
    water = 0.25
    canvas = Canvas(
        colors=np.full((3, 96, 96), water, dtype=np.float32),
        labels=np.full((96, 96), SceneClass.RIVER, dtype=np.uint8),
        distance=np.full((96, 96), np.inf, dtype=np.float32),
    )
    distance = plan.view.focal * plan.view.eye / 20
    height = plan.view.eye
    rock = Thing(
        sprite=sprites(SpriteKind.ROCK)[0],
        kind=SpriteKind.ROCK,
        x=0.0,
        distance=distance,
        foot=0.0,
        height=height,
        tint=color(0, 0, 0),
    )
    paint_things(canvas, plan, [rock])
    mirror_things(canvas, plan, [rock])
    surface = round(plan.view.row(0.0, distance))
    rocky = canvas.labels == SceneClass.ROCK
    assert rocky[surface - 1].sum() > 5
    assert not rocky[surface:].any()
    changed = canvas.colors[1] < water - 0.01
    assert changed[surface].sum() > 0.7 * rocky[surface - 1].sum()
    assert not changed[surface + round(plan.view.focal * height / distance) :].any()


def test_what_stands_before_a_low_sun_is_darker_than_what_it_shines_on_from_the_side():
    plan = draw_plan(np.random.default_rng(1), height=96, width=96, variant=Variant.SUNSET, kind=Kind.MEADOW)
    brightness = []
    for azimuth in (0.0, 1.5):
        sunny = replace(plan, light=replace(plan.light, azimuth=azimuth, elevation=0.08))
        canvas = Canvas(
            colors=np.zeros((3, 96, 96), dtype=np.float32),
            labels=np.full((96, 96), SceneClass.SKY, dtype=np.uint8),
            distance=np.full((96, 96), np.inf, dtype=np.float32),
        )
        rock = Thing(
            sprite=sprites(SpriteKind.ROCK)[0],
            kind=SpriteKind.ROCK,
            x=0.0,
            distance=plan.view.focal * plan.view.eye / 30,
            foot=0.0,
            height=plan.view.eye,
            tint=color(0.3, 0.3, 0.3),
        )
        paint_things(canvas, sunny, [rock])
        brightness.append(canvas.colors[0][canvas.labels == SceneClass.ROCK].mean())
    assert brightness[0] < 0.75 * brightness[1]


@pytest.mark.parametrize("seed", range(3))
def test_crowns_near_enough_to_be_seen_as_a_wall_are_none(seed):
    plan = draw_plan(np.random.default_rng(seed), height=96, width=96, variant=Variant.DAY, kind=Kind.MEADOW)
    ground = build_ground(replace(plan, forest=1.0))
    wooded = (ground.zones == Zone.FOREST).any(axis=1)
    assert wooded.any()
    assert not wooded[ground.distances < 300].any()
