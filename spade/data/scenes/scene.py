"""One scene from one seed: plan, sky, ground, trees and rocks, water, air, and how a camera would show it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spade.data.randomness import Purpose, random_for
from spade.data.scenes.air import add_fog, add_haze
from spade.data.scenes.canvas import Canvas
from spade.data.scenes.classes import SceneClass
from spade.data.scenes.objects import mirror_things, paint_things, place_things
from spade.data.scenes.plan import Kind, Plan, draw_plan
from spade.data.scenes.shading import shade
from spade.data.scenes.sky import paint_sky
from spade.data.scenes.surface import Surface, paint_surface
from spade.data.scenes.terrain import Sight, build_ground, see
from spade.data.scenes.variant import Variant
from spade.data.scenes.water import paint_water


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A landscape."""

    picture: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    labels: NDArray[np.uint8]
    """(H, W) of SceneClass."""
    variant: Variant


def draw_scene(
    seed: int, *, height: int = 256, width: int = 256, variant: Variant | None = None, kind: Kind | None = None
) -> Scene:
    """The scene that belongs to `seed`, 0 or more; variant and kind of landscape are drawn where not given."""
    random = random_for(Purpose.SCENE, seed)
    for_sky, for_things, for_fog = random.spawn(3)
    plan = draw_plan(random, height=height, width=width, variant=variant, kind=kind)
    ground = build_ground(plan)
    sight = see(plan.view, ground)
    surface = paint_surface(plan, ground, sight, shade(ground, plan.light, plan.view.focal))
    add_haze(surface.colors, sight.distance, plan.light)
    canvas = _lay_out(plan, sight, surface, for_sky)
    things = place_things(plan, ground, for_things)
    paint_things(canvas, plan, things)
    paint_water(canvas, plan, sight, surface)
    mirror_things(canvas, plan, things)
    if plan.variant is Variant.FOG:
        add_fog(canvas, plan, float(for_fog.uniform(0.6, 1.8)))
    canvas.soften_edges()
    return Scene(picture=canvas.develop(plan.light), labels=canvas.labels, variant=plan.variant)


def _lay_out(plan: Plan, sight: Sight, surface: Surface, random: np.random.Generator) -> Canvas:
    """The sky, and before it the ground."""
    height, width = plan.view.height, plan.view.width
    # In each column there is sky down to where the ground begins, so these are all rows that show any.
    sky_rows = max(1, sight.top + int(np.count_nonzero(~sight.hit.all(axis=1))))
    colors = np.empty((3, height, width), dtype=np.float32)
    labels = np.empty((height, width), dtype=np.uint8)
    distance = np.full((height, width), np.inf, dtype=np.float32)
    colors[:, :sky_rows], clouds = paint_sky(plan, sky_rows, random)
    labels[:sky_rows] = np.where(clouds, np.uint8(SceneClass.CLOUDS), np.uint8(SceneClass.SKY))
    np.copyto(colors[:, sight.top :], surface.colors, where=sight.hit)
    np.copyto(labels[sight.top :], surface.labels, where=sight.hit)
    np.copyto(distance[sight.top :], sight.distance, where=sight.hit)
    return Canvas(colors=colors, labels=labels, distance=distance)
