"""Looking at a picture: the map over it, and the picture alone."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from api.client import SpadeClient
from deploy.local.stack import LocalStack
from support.looks import CUT_OFF, serious_faults
from support.studio import CARD, StudioPage, newest_job, open_studio


@pytest.fixture
def studio(studio: StudioPage) -> StudioPage:
    """A picture of a map of sky, in a window of some width."""
    studio.new_map(fill="sky")
    studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()
    return studio


on_a_phone = pytest.mark.parametrize("window_width", [390])


def compare(studio: StudioPage) -> Locator:
    return studio.page.get_by_role("checkbox", name="Compare with the label map")


def divider(studio: StudioPage) -> Locator:
    return studio.page.get_by_role("slider", name="Border between label map and picture")


def covered(studio: StudioPage, material: str = "sky") -> float:
    """How much of the picture a map of one material covers, from the left: of the row a quarter down, as it is seen."""
    studio.page.mouse.move(2, 2)
    with Image.open(io.BytesIO(studio.page.locator("#picture-frame").screenshot())) as seen:
        row = np.asarray(seen.convert("RGB"))[seen.height // 4, 2:-2]  # edges need not lie on whole pixels
    color = next(label_class.rgb for label_class in CARD.classes if label_class.name == material)
    is_map = (row == [color >> 16, color >> 8 & 255, color & 255]).all(-1)
    share = float(is_map.mean())
    assert is_map[: int(is_map.sum())].all(), "the map is not at the left"
    return share


def drag_divider(studio: StudioPage, share: float) -> None:
    box = studio.page.locator("#picture-frame").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    now = float(divider(studio).input_value()) / 100
    studio.page.mouse.move(box["x"] + now * box["width"], middle)
    studio.page.mouse.down()
    studio.page.mouse.move(box["x"] + (now + share) / 2 * box["width"], middle)
    studio.page.mouse.move(box["x"] + share * box["width"], middle)
    studio.page.mouse.up()


def test_the_map_lies_over_the_picture_up_to_the_handle(studio: StudioPage) -> None:
    assert covered(studio) == 0
    compare(studio).check()
    assert covered(studio) == pytest.approx(0.5, abs=0.02)
    for share in (0.25, 0.8, 1.0, 0.0):
        drag_divider(studio, share)
        assert covered(studio) == pytest.approx(share, abs=0.02)
    compare(studio).uncheck()
    expect(divider(studio)).to_be_hidden()


def test_the_handle_is_moved_by_keys(studio: StudioPage) -> None:
    studio.page.keyboard.press("c")
    expect(compare(studio)).to_be_checked()
    divider(studio).focus()
    studio.page.keyboard.press("End")
    assert covered(studio) == pytest.approx(1, abs=0.02)
    for _ in range(10):
        studio.page.keyboard.press("ArrowLeft")
    assert covered(studio) == pytest.approx(0.9, abs=0.02)
    expect(divider(studio)).to_have_attribute("aria-valuetext", "90 % label map")
    studio.page.keyboard.press("c")
    expect(divider(studio)).to_be_hidden()


@on_a_phone
def test_the_handle_is_moved_by_a_finger(studio: StudioPage) -> None:
    compare(studio).check()
    frame = studio.page.locator("#picture-frame")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    assert box is not None
    session = studio.page.context.new_cdp_session(studio.page)
    for kind, share in (("touchStart", 0.5), ("touchMove", 0.4), ("touchMove", 0.2), ("touchEnd", None)):
        points = [] if share is None else [{"x": box["x"] + share * box["width"], "y": box["y"] + box["height"] / 2}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert covered(studio) == pytest.approx(0.2, abs=0.03)


def test_what_is_compared_is_the_map_that_the_picture_was_made_of(studio: StudioPage) -> None:
    compare(studio).check()
    drag_divider(studio, 1)
    studio.material("grass")
    studio.tool("Fill")
    studio.click((100, 100))
    assert covered(studio) == pytest.approx(1, abs=0.02)
    with studio.page.expect_response("**/image?proxy=1"):
        studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()
    assert covered(studio, "grass") == pytest.approx(1, abs=0.02)


def test_map_and_picture_lie_on_each_other_in_every_shape(studio: StudioPage) -> None:
    studio.page.locator("#model").select_option("street")
    expect(studio.page.locator("#map-size")).to_have_text("256 × 192")
    with studio.page.expect_response("**/image?proxy=1"):
        studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()
    compare(studio).check()
    frame = studio.page.locator("#picture-frame")
    expect(frame).to_have_css("--ratio", str(256 / 192))
    boxes = [studio.page.locator(name).bounding_box() for name in ("#picture-frame", "#picture", "#compare-map")]
    assert boxes[0] == boxes[1] == boxes[2]
    assert boxes[0] is not None
    assert boxes[0]["width"] / boxes[0]["height"] == pytest.approx(256 / 192, rel=0.01)


def test_there_is_nothing_to_look_at_before_the_first_picture(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        for key in "cw":
            studio.page.keyboard.press(key)
        expect(compare(studio)).to_be_disabled()
        expect(compare(studio)).not_to_be_checked()
        expect(studio.page.get_by_role("button", name="Full size")).to_be_disabled()
        expect(studio.page.get_by_role("dialog")).to_be_hidden()


def test_the_picture_alone_fitted_or_at_its_own_size(studio: StudioPage) -> None:
    studio.page.get_by_role("button", name="Full size").click()
    dialog = studio.page.get_by_role("dialog", name="Picture")
    expect(dialog).to_contain_text("256 × 256")
    image = dialog.get_by_role("img", name="Picture made of the label map")
    fitted = image.bounding_box()
    assert fitted is not None
    assert fitted["height"] > 700
    assert image.evaluate("(image) => getComputedStyle(image).imageRendering") == "auto"
    dialog.get_by_role("radio", name="100 %").check()
    own = image.bounding_box()
    assert own is not None
    assert (own["width"], own["height"]) == (256, 256)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    studio.page.locator("#picture").click()
    expect(dialog).to_be_visible()


def test_the_picture_alone_by_keyboard(studio: StudioPage) -> None:
    button = studio.page.get_by_role("button", name="Full size")
    dialog = studio.page.get_by_role("dialog", name="Picture")
    keys = studio.page.keyboard
    button.focus()
    keys.press("Enter")
    expect(dialog).to_be_visible()
    dialog.get_by_role("radio", name="Fit").focus()
    keys.press("ArrowRight")
    expect(dialog.get_by_role("radio", name="100 %")).to_be_checked()
    keys.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    keys.press("w")
    expect(dialog).to_be_visible()


def test_the_picture_is_saved_from_there(studio: StudioPage, stack: LocalStack) -> None:
    studio.page.keyboard.press("w")
    with studio.page.expect_download() as download:
        studio.page.get_by_role("dialog").get_by_role("button", name="Save picture").click()
    with SpadeClient(stack.url) as client:
        (item,) = client.job(newest_job(stack)["id"]).items
        assert client.picture(item) == Path(download.value.path()).read_bytes()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
def test_nothing_is_cut_off_and_axe_finds_nothing_serious(
    browser: Browser, stack: LocalStack, width: int, scheme: str
) -> None:
    with open_studio(browser, stack.url, width=width, color_scheme=scheme) as studio:
        studio.page.get_by_role("button", name="Generate").click()
        studio.expect_picture()
        expect(studio.page.locator("#film li")).to_have_count(1)
        compare(studio).check()
        opened = [None, studio.page.locator("#full-open"), studio.page.get_by_role("button", name="Clear history")]
        for button in opened:
            if button:
                button.click()
                expect(studio.page.get_by_role("dialog")).to_be_visible()
            assert studio.page.evaluate("document.documentElement.scrollWidth") <= width
            assert studio.page.evaluate(CUT_OFF) == []
            assert serious_faults(studio.page) == []
            studio.page.keyboard.press("Escape")
