"""For everybody: narrow and wide, light and dark, by keyboard, read aloud, in Chinese."""

import re

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from deploy.local.stack import LocalStack
from support.batches import MAPS, BatchDialog
from support.looks import CUT_OFF, serious_faults
from support.studio import StudioPage, class_id, open_studio

VIEWS = [(1440, "light"), (1440, "dark"), (900, "light"), (390, "light"), (390, "dark")]


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_nothing_is_cut_off_and_the_colours_are_the_browsers(
    browser: Browser, stack: LocalStack, width: int, scheme: str
) -> None:
    with open_studio(browser, stack.url, width=width, color_scheme=scheme) as studio:
        assert studio.page.evaluate("document.documentElement.scrollWidth") <= width
        assert studio.page.evaluate(CUT_OFF) == []
        studio.page.get_by_role("radio", name="sunset").check()
        assert studio.page.evaluate(CUT_OFF) == []
        red = int(re.findall(r"\d+", studio.page.evaluate("getComputedStyle(document.body).backgroundColor"))[0])
        assert red > 220 if scheme == "light" else red < 40
        assert studio.wrong == []


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
def test_axe_finds_nothing_serious(browser: Browser, stack: LocalStack, width: int, scheme: str) -> None:
    with open_studio(browser, stack.url, width=width, color_scheme=scheme) as studio:
        studio.page.get_by_role("button", name="Generate").click()
        studio.expect_picture()
        assert serious_faults(studio.page) == []
        studio.page.get_by_role("button", name="4 variations").click()
        expect(studio.page.locator("#variations button")).to_have_count(4)
        assert serious_faults(studio.page) == []
        studio.page.get_by_role("radio", name="sunset").check()
        assert serious_faults(studio.page) == []
        studio.page.get_by_role("button", name="File").click()
        assert serious_faults(studio.page) == []
        studio.page.keyboard.press("Escape")
        studio.page.get_by_role("button", name="Shortcuts").click()
        assert serious_faults(studio.page) == []
        studio.page.keyboard.press("Escape")
        batch = BatchDialog(studio)
        batch.choose({**MAPS, "no-map.txt": b"?"})
        assert serious_faults(studio.page) == []
        assert studio.page.evaluate(CUT_OFF) == []
        batch.send()
        batch.expect_end()
        expect(batch.dialog.locator("#batch-pictures")).to_be_visible()
        assert serious_faults(studio.page) == []


def test_a_scene_is_painted_and_made_by_keyboard_alone(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        keys = studio.page.keyboard
        reach(studio, "#palette-search", "Tab")
        keys.type("gra")
        keys.press("Enter")
        expect(studio.page.get_by_role("button", name="grass", exact=True)).to_have_attribute("aria-pressed", "true")
        reach(studio, "#stage", "Tab")
        for key in ("r", "Space"):  # a small rectangle where the cursor is, so that the map has been changed
            keys.press(key)
        keys.down("Space")
        for _ in range(3):
            keys.press("Shift+ArrowRight")
            keys.press("ArrowDown")
        keys.up("Space")
        labels = studio.labels()
        assert (labels[128:132, 128:159] == class_id("grass")).all()
        expect(studio.page.locator("#announcer")).to_have_text("158, 131: grass")
        keys.press("g")
        for arrow in ("ArrowLeft", "ArrowUp", "ArrowRight"):
            keys.press("Space")
            for _ in range(4):
                keys.press(f"Shift+{arrow}")
        keys.press("Enter")
        assert (studio.labels() == class_id("grass")).sum() > (labels == class_id("grass")).sum()
        keys.press("Control+z")
        studio.expect_labels(labels)
        keys.press("Control+Enter")
        studio.expect_picture()


def reach(studio: StudioPage, selector: str, key: str) -> None:
    """Press a key until an element has the focus, which is to be seen."""
    element = studio.page.locator(selector)
    for _ in range(80):
        studio.page.keyboard.press(key)
        if element.evaluate("(element) => element === document.activeElement"):
            assert element.evaluate("(element) => getComputedStyle(element).outlineStyle") == "solid"
            return
    pytest.fail(f"{selector} is not reached by {key}")


@pytest.mark.parametrize("key", "bplrogfseivh")
def test_every_tool_has_a_key(browser: Browser, stack: LocalStack, key: str) -> None:
    with open_studio(browser, stack.url) as studio:
        studio.page.keyboard.press(key)
        pressed = studio.page.locator("#tools [aria-pressed=true]")
        expect(pressed).to_have_attribute("aria-keyshortcuts", key.upper())


def test_fingers_paint_and_two_of_them_enlarge(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url, width=390, height=844) as studio:
        studio.new_map(fill="sky")
        studio.material("grass")
        studio.page.locator("#stage").scroll_into_view_if_needed()
        x, y = studio.place((100, 100))
        studio.page.touchscreen.tap(x, y)
        painted = studio.labels() == class_id("grass")
        assert painted[100, 100]
        session = studio.page.context.new_cdp_session(studio.page)
        for kind, apart in (("touchStart", 40), ("touchMove", 60), ("touchMove", 80)):
            points = [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert np.array_equal(studio.labels() == class_id("grass"), painted)
        assert studio.page.locator("#sheet").bounding_box()["width"] > 500


def test_a_chinese_browser_gets_a_chinese_page(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url, locale="zh-CN") as studio:
        assert studio.page.locator("html").get_attribute("lang") == "zh"
        expect(studio.page.get_by_role("button", name="生成")).to_be_visible()
        expect(studio.page.get_by_role("button", name="天空", exact=True)).to_be_visible()
        assert studio.page.evaluate(CUT_OFF) == []
