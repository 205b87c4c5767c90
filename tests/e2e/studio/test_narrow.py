"""In small windows, much enlarged and under fingers: everything is there, whole, and can be reached."""

import io

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from deploy.local.stack import LocalStack
from support.looks import CUT_OFF
from support.studio import StudioPage, damage_sent_jpegs, open_studio
from support.waiting import wait_until

WIDTHS = [*range(360, 1601, 20), 720, 721, 1100, 1101]
LEAST_TARGET_PIXELS = 24
LOW = [(1280, 450), (1440, 400), (1101, 600), (1024, 300), (844, 390)]
# Rows and the seed that are wider than what is seen of them, and panels that are higher.
CROPPED = """() => [...document.querySelectorAll(".bar, .line, .panel, #seed")]
  .filter((element) => element.checkVisibility())
  .filter((element) => element.scrollWidth > element.clientWidth + 1
    || element.matches(".panel") && element.scrollHeight > element.clientHeight + 1)
  .map((element) => element.id || element.textContent)"""
# What a finger has to hit, by id or name, with width and height; where a label lies round it, that is hit.
SMALL_TARGETS = """(least) => [...document.querySelectorAll("button, select, input")]
  .filter((element) => element.checkVisibility() && !element.closest(".unseen"))
  .map((element) => [element, (element.closest(".pair label, .toggle, .tile") ?? element).getBoundingClientRect()])
  .filter(([, { width, height }]) => width < least || height < least)
  .map(([element, { width, height }]) => [element.id || element.name || element.textContent, width, height])"""


def resize(studio: StudioPage, width: int, height: int) -> None:
    studio.page.set_viewport_size({"width": width, "height": height})
    studio.page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))")


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_nothing_is_cut_off_at_any_width(browser: Browser, stack: LocalStack, locale: str) -> None:
    with open_studio(browser, stack.url, locale=locale) as studio:
        studio.page.locator("#seed").fill("888888")
        for style in (0, 2):  # by seed, and sunset to be blended with another
            studio.page.locator("#styles input").nth(style).check()
            cut = {}
            for width in WIDTHS:
                resize(studio, width, 800)
                cut[width] = studio.page.evaluate(CUT_OFF) + studio.page.evaluate(CROPPED)
                assert studio.page.evaluate("document.documentElement.scrollWidth") <= width
            assert {width: elements for width, elements in cut.items() if elements} == {}


@pytest.mark.parametrize(("width", "height"), LOW)
def test_low_windows_have_a_map_and_scroll(browser: Browser, stack: LocalStack, width: int, height: int) -> None:
    with open_studio(browser, stack.url, width=width, height=height) as studio:
        for stage in ("#stage", "#picture-stage"):
            assert studio.page.locator(stage).evaluate("(stage) => stage.clientHeight") >= 200
        assert studio.page.evaluate(CROPPED) == []
        studio.page.mouse.move(width / 2, 20)
        studio.page.mouse.wheel(0, 5000)
        expect(studio.page.locator("#history")).to_be_in_viewport(ratio=0.99)


def test_a_window_that_is_high_enough_does_not_scroll(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url, width=1280, height=720) as studio:
        assert studio.page.evaluate("document.documentElement.scrollHeight") == 720
        assert studio.page.locator("#history").evaluate("(history) => history.getBoundingClientRect().bottom") == 710
        assert studio.page.locator("#palette-list").evaluate("(list) => list.scrollHeight > list.clientHeight")


@pytest.mark.parametrize(("width", "height"), [(360, 225), (844, 390), (1440, 400)])
def test_the_last_entry_of_the_menu_is_reached(browser: Browser, stack: LocalStack, width: int, height: int) -> None:
    with open_studio(browser, stack.url, width=width, height=height) as studio:
        studio.new_map(fill="sky")
        before = studio.labels()
        studio.page.get_by_role("button", name="File").click()
        studio.page.locator("#file-menu").hover()
        studio.page.mouse.wheel(0, 1000)
        last = studio.page.locator("#menu-examples button").last
        expect(last).to_be_in_viewport(ratio=0.99)
        last.click()
        expect(studio.page.locator("#file-menu")).to_be_hidden()
        wait_until(lambda: (studio.labels() != before).any(), "the example is there")


@pytest.mark.parametrize("width", [1440, 1101, 390])
def test_long_names_in_the_status_leave_the_buttons_beside_it(browser: Browser, stack: LocalStack, width: int) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "orange").save(picture, "JPEG")
    file = {"name": f"IMG_{'x' * 120}.jpg", "mimeType": "image/jpeg", "buffer": picture.getvalue()}
    with open_studio(browser, stack.url, width=width) as studio:
        damage_sent_jpegs(studio.page)
        studio.page.locator("#style-file").set_input_files([file])
        expect(studio.page.locator("#style-name")).to_have_text(file["name"])
        studio.page.get_by_role("button", name="Generate").click()
        expect(studio.page.locator("#status")).to_contain_text(file["name"], timeout=60_000)
        right = studio.page.locator("#output").evaluate("(panel) => panel.getBoundingClientRect().right")
        for button in ("label:has(#compare)", "#full-open", "#save-picture"):
            assert studio.page.locator(button).evaluate("(button) => button.getBoundingClientRect().right") < right
        assert studio.page.evaluate(CROPPED) == []


@pytest.mark.parametrize(("width", "height"), [(360, 225), (1280, 450)])
def test_variations_are_seen_in_small_windows(browser: Browser, stack: LocalStack, width: int, height: int) -> None:
    with open_studio(browser, stack.url, width=width, height=height) as studio:
        studio.page.locator("#seed").fill("931669")
        studio.page.get_by_role("button", name="9 variations").click()
        cells = studio.page.locator("#variations button")
        expect(cells).to_have_count(9, timeout=60_000)
        for cell in cells.all():
            cell.scroll_into_view_if_needed()
            expect(cell).to_be_in_viewport(ratio=0.95)
            box, seed = cell.bounding_box(), cell.locator("span").bounding_box()
            assert box is not None
            assert seed is not None
            assert box["width"] > 80
            assert box["x"] < seed["x"] < seed["x"] + seed["width"] < box["x"] + box["width"]
            assert box["y"] < seed["y"]
        cells.last.click()
        expect(studio.page.locator("#seed")).to_have_value("931677")


def test_everything_is_large_enough_for_fingers(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url, width=390, height=844) as studio:
        assert studio.page.evaluate("matchMedia('(pointer: coarse)').matches")
        for tool in ("Brush", "Select"):
            studio.tool(tool)
            studio.page.get_by_role("radio", name="sunset").check()
            assert studio.page.evaluate(SMALL_TARGETS, LEAST_TARGET_PIXELS) == []
