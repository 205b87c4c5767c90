"""What comes between: undo during a stroke, a paste that is meant for a field, a second finger."""

import numpy as np
import pytest
from playwright.sync_api import expect

from support.studio import Pixel, StudioPage, class_id


@pytest.fixture
def studio(studio: StudioPage) -> StudioPage:
    """A map of sky, grass in hand, in a window of some width."""
    studio.new_map(fill="sky")
    studio.material("grass")
    return studio


on_a_phone = pytest.mark.parametrize("window_width", [390])


def grass(studio: StudioPage) -> np.ndarray:
    return studio.labels() == class_id("grass")


@pytest.mark.parametrize("tool", ["Brush", "Rectangle"])
def test_undo_during_a_stroke_ends_it_for_good(studio: StudioPage, tool: str) -> None:
    empty = studio.labels()
    studio.drag((30, 30), (60, 60))
    drawn = studio.labels()
    studio.tool(tool)
    mouse = studio.page.mouse
    mouse.move(*studio.place((100, 100)))
    mouse.down()
    mouse.move(*studio.place((120, 120)))
    studio.page.keyboard.press("Control+z")
    mouse.move(*studio.place((180, 180)))
    studio.expect_labels(empty)
    mouse.up()
    studio.page.keyboard.press("Control+y")
    studio.expect_labels(drawn)


def test_what_is_pasted_into_a_field_or_a_dialog_is_not_pasted_on_the_map(studio: StudioPage) -> None:
    studio.drag((30, 30), (60, 60))
    studio.tool("Select")
    studio.drag((20, 20), (70, 70))
    studio.page.keyboard.press("Control+c")
    drawn = studio.labels()
    studio.page.locator("#palette-search").focus()
    studio.page.keyboard.press("Control+v")
    studio.expect_labels(drawn)
    studio.page.locator("#stage").focus()
    studio.page.keyboard.press("?")
    expect(studio.page.get_by_role("dialog")).to_be_visible()
    studio.page.keyboard.press("Control+v")
    studio.expect_labels(drawn)
    studio.page.keyboard.press("Escape")
    studio.page.keyboard.press("Control+v")
    assert not np.array_equal(studio.labels(), drawn)


def pinch(studio: StudioPage, first: Pixel, second: Pixel) -> None:
    """One finger, then another, then none."""
    session = studio.page.context.new_cdp_session(studio.page)
    points = [dict(zip("xy", studio.place(pixel), strict=True), id=name) for name, pixel in enumerate((first, second))]
    for kind, fingers in (("touchStart", points[:1]), ("touchStart", points), ("touchEnd", [])):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


@on_a_phone
@pytest.mark.parametrize("tool", ["Fill", "Swap"])
def test_two_fingers_neither_fill_nor_swap(studio: StudioPage, tool: str) -> None:
    studio.tool(tool)
    studio.page.locator("#stage").scroll_into_view_if_needed()
    pinch(studio, (100, 100), (140, 140))
    assert not grass(studio).any()
    studio.page.touchscreen.tap(*studio.place((100, 100)))
    assert grass(studio).all()


@on_a_phone
def test_two_fingers_leave_the_corners_of_a_polygon(studio: StudioPage) -> None:
    studio.tool("Polygon")
    studio.page.locator("#stage").scroll_into_view_if_needed()
    for corner in ((40, 40), (140, 40), (40, 140)):
        studio.page.touchscreen.tap(*studio.place(corner))
    pinch(studio, (200, 200), (240, 240))
    studio.page.get_by_role("button", name="Close polygon").click()
    assert grass(studio).sum() == pytest.approx(101 * 102 // 2, rel=0.05)
