"""Painting: every tool does to the labels what it says, and nothing else."""

import numpy as np
import pytest
from playwright.sync_api import expect

from support.studio import UNKNOWN, StudioPage, class_id

SKY, GRASS, TREE, SEA, SAND = (class_id(name) for name in ("sky", "grass", "tree", "sea", "sand"))


@pytest.fixture
def studio(studio: StudioPage) -> StudioPage:
    """A map of sky, grass in hand."""
    studio.new_map(fill="sky")
    studio.material("grass")
    return studio


def painted(studio: StudioPage, material: int = GRASS) -> np.ndarray:
    return studio.labels() == material


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def test_a_round_brush_paints_a_thick_line_and_never_another_label(studio: StudioPage) -> None:
    studio.brush_size(20)
    studio.drag((50, 100), (150, 100))
    assert box_of(painted(studio)) == (40, 90, 160, 110)
    assert set(np.unique(studio.labels())) == {SKY, GRASS}
    assert not painted(studio)[90, 40], "the end is round"
    assert painted(studio)[100, 40:160].all()


def test_a_square_brush_has_corners(studio: StudioPage) -> None:
    studio.brush_size(20)
    studio.page.get_by_role("radio", name="Square").check()
    studio.click((50, 100))
    assert painted(studio).sum() == 400


def test_the_pencil_paints_single_pixels(studio: StudioPage) -> None:
    studio.tool("Pencil")
    studio.drag((10, 10), (19, 10))
    studio.click((30, 30))
    assert painted(studio).sum() == 11
    expect(studio.page.locator("#under")).to_have_text("30, 30: grass")


def test_a_line_is_straight_and_shown_while_it_is_drawn(studio: StudioPage) -> None:
    studio.tool("Line")
    studio.brush_size(1)
    studio.drag((10, 10), (200, 60), (40, 40))
    mask = painted(studio)
    assert mask.sum() == 31
    assert mask[range(10, 41), range(10, 41)].all()


def test_rectangle_and_ellipse_fill_their_boxes(studio: StudioPage) -> None:
    studio.tool("Rectangle")
    studio.drag((60, 40), (20, 10))
    assert box_of(painted(studio)) == (20, 10, 61, 41)
    assert painted(studio).sum() == 41 * 31
    studio.tool("Ellipse")
    studio.material("tree")
    studio.drag((100, 100), (199, 139))
    mask = painted(studio, TREE)
    assert box_of(mask) == (100, 100, 200, 140)
    assert mask.sum() == pytest.approx(np.pi * 50 * 20, rel=0.01)


def test_a_polygon_closes_at_its_first_corner(studio: StudioPage) -> None:
    studio.tool("Polygon")
    for corner in ((20, 20), (120, 20), (20, 120), (20, 21)):
        studio.click(corner)
    mask = painted(studio)
    assert mask.sum() == 101 * 102 // 2
    assert box_of(mask) == (20, 20, 121, 121)


def test_a_polygon_that_is_left_open_ends_with_the_map_it_was_on(studio: StudioPage) -> None:
    studio.tool("Polygon")
    for corner in ((20, 20), (120, 20), (20, 120)):
        studio.click(corner)
    studio.menu("Flip left and right")
    studio.page.get_by_role("button", name="Close polygon").click()
    assert not painted(studio).any()


def test_who_undoes_the_last_step_by_keyboard_can_redo_it(studio: StudioPage) -> None:
    studio.drag((20, 20), (100, 20))
    undo, redo = (studio.page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo"))
    undo.focus()
    for _ in range(2):  # the stroke, and the new map
        undo.press("Enter")
    expect(redo).to_be_focused()
    redo.press("Enter")
    redo.press("Enter")
    expect(undo).to_be_focused()
    assert painted(studio).any()


def test_fill_takes_what_is_connected_and_swap_takes_all(studio: StudioPage) -> None:
    studio.tool("Rectangle")
    studio.drag((0, 100), (255, 120))
    studio.tool("Fill")
    studio.material("sea")
    studio.click((5, 200))
    labels = studio.labels()
    assert (labels[:100] == SKY).all()
    assert (labels[121:] == SEA).all()
    studio.tool("Rectangle")
    studio.drag((100, 10), (110, 20))
    studio.tool("Swap")
    studio.material("sand")
    studio.click((105, 15))
    labels = studio.labels()
    assert (labels[121:] == SAND).all()
    assert (labels == SEA).sum() == 0
    assert (labels[100:121] == GRASS).all()


def test_the_eraser_makes_unknown(studio: StudioPage) -> None:
    studio.tool("Eraser")
    studio.brush_size(10)
    studio.click((50, 50))
    assert box_of(painted(studio, UNKNOWN)) == (45, 45, 55, 55)


def test_the_eyedropper_takes_the_material_under_it(studio: StudioPage) -> None:
    studio.tool("Eyedropper")
    studio.click((5, 5))
    expect(studio.page.get_by_role("button", name="sky", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_mirrored_stroke_is_painted_twice(studio: StudioPage) -> None:
    studio.page.get_by_role("checkbox", name="Mirror").check()
    studio.drag((20, 30), (40, 90))
    mask = painted(studio)
    assert mask.any()
    assert (mask == mask[:, ::-1]).all()


def test_a_selection_is_moved_copied_pasted_and_erased(studio: StudioPage) -> None:
    studio.tool("Rectangle")
    studio.drag((10, 10), (19, 19))
    studio.tool("Select")
    studio.drag((10, 10), (19, 19))
    studio.drag((15, 15), (65, 15))
    labels = studio.labels()
    assert (labels[10:20, 60:70] == GRASS).all()
    assert (labels[10:20, 10:20] == UNKNOWN).all()
    studio.page.get_by_role("checkbox", name="Leave a copy").check()
    studio.drag((65, 15), (65, 65))
    assert painted(studio).sum() == 200
    studio.page.keyboard.press("Control+c")
    studio.page.keyboard.press("Control+v")
    assert (studio.labels()[123:133, 123:133] == GRASS).all()
    studio.page.keyboard.press("Delete")
    assert (studio.labels()[123:133, 123:133] == UNKNOWN).all()


def test_what_is_copied_from_one_layer_is_put_down_on_it(studio: StudioPage) -> None:
    studio.tool("Rectangle")
    studio.drag((10, 10), (19, 19))
    studio.tool("Select")
    studio.drag((10, 10), (19, 19))
    studio.page.keyboard.press("Control+c")
    studio.layer("Objects")
    studio.page.keyboard.press("Control+v")
    assert (studio.labels()[123:133, 123:133] == GRASS).all()
    studio.page.keyboard.press("Delete")
    assert (studio.labels()[123:133, 123:133] == UNKNOWN).all(), "it lay on the background"


def test_objects_lie_above_the_background_and_come_off_again(studio: StudioPage) -> None:
    studio.layer("Objects")
    studio.material("tree")
    studio.brush_size(40)
    studio.click((100, 100))
    assert studio.labels()[100, 100] == TREE
    studio.layer("Background")
    studio.tool("Rectangle")
    studio.material("grass")
    studio.drag((0, 0), (255, 255))
    labels = studio.labels()
    assert (labels[100, 100], labels[0, 0]) == (TREE, GRASS)
    studio.layer("Objects")
    studio.tool("Eraser")
    studio.click((100, 100))
    assert (studio.labels() == GRASS).all()


def test_everything_is_undone_to_the_start_and_redone_to_the_end(studio: StudioPage) -> None:
    states = [studio.labels()]
    studio.drag((30, 30), (80, 80))
    states.append(studio.labels())
    studio.tool("Rectangle")
    studio.material("sea")
    studio.drag((10, 150), (240, 250))
    states.append(studio.labels())
    studio.tool("Swap")
    studio.material("sand")
    studio.click((5, 5))
    states.append(studio.labels())
    studio.menu("Flip left and right")
    states.append(studio.labels())
    studio.new_map(fill="snow", size="512 × 512")
    states.append(studio.labels())
    undo, redo = (studio.page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo"))
    for state in reversed(states[:-1]):
        undo.click()
        studio.expect_labels(state)
    for state in states[1:]:
        redo.click()
        studio.expect_labels(state)
    expect(redo).to_be_disabled()


def test_a_pen_paints_thinner_when_it_presses_less(studio: StudioPage) -> None:
    studio.brush_size(40)
    x, y = studio.place((100, 100))
    pen = {"pointerType": "pen", "pointerId": 7, "clientX": x, "clientY": y, "bubbles": True, "pressure": 0.2}
    stage = studio.page.locator("#stage")
    stage.evaluate("(stage) => (stage.setPointerCapture = () => undefined)")  # only real pointers can be captured
    stage.dispatch_event("pointerdown", pen)
    stage.dispatch_event("pointerup", pen)
    left, _, right, _ = box_of(painted(studio))
    assert right - left == 16


def test_the_wheel_enlarges_what_is_under_the_pointer_and_painting_stays_exact(studio: StudioPage) -> None:
    before = studio.place((40, 40))
    studio.page.mouse.move(*before)
    studio.page.mouse.wheel(0, -800)
    assert studio.place((40, 40)) == pytest.approx(before, abs=4)
    studio.tool("Pencil")
    studio.click((41, 40))
    assert np.argwhere(painted(studio)).tolist() == [[40, 41]]
    studio.page.get_by_role("button", name="Fit").click()
    studio.click((200, 200))
    assert painted(studio).sum() == 2
