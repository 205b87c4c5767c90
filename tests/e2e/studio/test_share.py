"""Share links: they hold model, seed, style and map, and whoever opens one loses nothing."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from deploy.local.stack import LocalStack
from support.studio import StudioPage, class_id, open_studio, rgb_png


@pytest.fixture
def studio(studio: StudioPage) -> StudioPage:
    """A map of sky, grass and one object of trees, seed 7, style night."""
    studio.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    paint(studio)
    return studio


def paint(studio: StudioPage) -> None:
    studio.new_map(fill="sky")
    studio.material("grass")
    studio.drag((30, 200), (220, 180))
    studio.layer("Objects")
    studio.material("tree")
    studio.click((60, 60))
    studio.page.locator("#seed").fill("7")
    studio.page.get_by_role("radio", name="night").check()


def share(studio: StudioPage) -> Locator:
    return studio.page.get_by_role("button", name="Copy a link to this")


def notice(studio: StudioPage) -> Locator:
    return studio.page.get_by_role("alert")


def copied(studio: StudioPage) -> str:
    share(studio).click()
    expect(notice(studio)).to_have_text("The link is copied. It holds model, seed, style and map.")
    link: str = studio.page.evaluate("navigator.clipboard.readText()")
    return link


def visit(studio: StudioPage, link: str) -> None:
    """As by a link on another page."""
    studio.page.goto("about:blank")
    studio.page.goto(link)
    expect(studio.page.locator("body.ready")).to_be_attached()


def project(studio: StudioPage) -> dict[str, Any]:
    with studio.page.expect_download() as download:
        studio.menu("Save project")
    content: dict[str, Any] = json.loads(Path(download.value.path()).read_bytes())
    return content


def test_a_link_brings_model_seed_style_and_both_layers_to_another_browser(
    studio: StudioPage, browser: Browser, stack: LocalStack
) -> None:
    link = copied(studio)
    assert link.startswith(f"{stack.url}/studio#")
    sent = project(studio)
    with open_studio(browser, stack.url) as other:
        asked: list[str] = []
        other.page.on("request", lambda request: asked.append(request.url))
        visit(other, link)
        expect(notice(other)).to_contain_text("This is what was shared.")
        other.expect_picture()
        assert project(other) == sent
        assert sent["style"] == "night"
        assert not [url for url in asked if "objects=" in url], "the map goes to no server"
        assert other.wrong == []


def test_a_blend_of_styles_comes_along(studio: StudioPage) -> None:
    studio.page.get_by_label("Style to blend with").select_option("day")
    studio.page.get_by_role("slider", name="Blend of two styles").fill("30")
    sent = project(studio)
    assert sent["style"] == {"blend": ["night", "day"], "weight": 0.3}
    link = copied(studio)
    studio.new_map(fill="snow")
    studio.page.get_by_role("radio", name="By seed").check()
    visit(studio, link)
    expect(notice(studio)).to_contain_text("This is what was shared.")
    assert project(studio) == sent


def test_a_picture_as_style_is_told_and_not_left_out(studio: StudioPage) -> None:
    with studio.page.expect_file_chooser() as chooser:
        studio.page.get_by_role("button", name="Style from a picture").click()
    picture = rgb_png(np.full((64, 64), 0x804020))
    chooser.value.set_files([{"name": "dusk.png", "mimeType": "image/png", "buffer": picture}])
    expect(studio.page.get_by_role("radio", name="Picture", exact=True)).to_be_checked()
    share(studio).click()
    expect(notice(studio)).to_contain_text("A link cannot hold the picture whose style this takes.")


def test_a_link_is_copied_by_keyboard(studio: StudioPage) -> None:
    share(studio).focus()
    studio.page.keyboard.press("Enter")
    expect(notice(studio)).to_contain_text("The link is copied.")
    assert "model=landscape" in studio.page.evaluate("navigator.clipboard.readText()")


def test_where_the_browser_gives_no_clipboard_the_link_is_there_to_be_copied(
    browser: Browser, stack: LocalStack
) -> None:
    with open_studio(browser, stack.url) as studio:
        # As on a page that comes over plain HTTP from another machine.
        studio.page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        studio.open(stack.url)
        share(studio).click()
        field = studio.page.get_by_role("dialog", name="Link to this map").get_by_role("textbox")
        expect(field).to_be_focused()
        selected = field.evaluate("(field) => field.value.slice(field.selectionStart, field.selectionEnd)")
        assert selected == field.input_value()
        assert selected.startswith(f"{stack.url}/studio#link=1&model=landscape&seed=")
        studio.page.keyboard.press("Escape")
        expect(field).to_be_hidden()


def test_what_was_here_is_undone_to_and_in_the_history_after_a_reload(studio: StudioPage) -> None:
    link = copied(studio)
    shared = studio.labels()
    studio.new_map(fill="snow")
    studio.page.get_by_role("radio", name="By seed").check()
    studio.page.locator("#seed").fill("99")
    studio.page.locator("#seed").press("Tab")
    mine = studio.labels()
    visit(studio, link)
    studio.expect_picture()
    studio.expect_labels(shared)
    studio.page.keyboard.press("Control+z")
    studio.expect_labels(mine)
    expect(studio.page.locator("#seed")).to_have_value("99")
    expect(studio.page.get_by_role("radio", name="By seed")).to_be_checked()
    studio.page.keyboard.press("Control+y")
    studio.layer("Background")
    studio.drag((30, 30), (60, 30))
    painted = studio.labels()
    studio.reload()
    assert np.array_equal(studio.labels(), painted), "a reload goes on, and does not begin with the link again"
    studio.page.get_by_role("button", name=re.compile("^Landscape, Seed 99, ")).click()
    expect(studio.page.locator("#seed")).to_have_value("99")
    studio.expect_labels(mine)


def test_a_link_that_is_put_into_the_open_page_is_opened_too(studio: StudioPage) -> None:
    link = copied(studio)
    shared = studio.labels()
    studio.new_map(fill="snow")
    studio.page.evaluate("(link) => { location.href = link; }", link)
    expect(notice(studio)).to_contain_text("This is what was shared.")
    studio.expect_labels(shared)
    assert studio.page.evaluate("location.href") == link.partition("#")[0]


def test_an_example_that_nobody_touched_is_not_kept_when_a_link_is_opened(
    studio: StudioPage, browser: Browser, stack: LocalStack
) -> None:
    link = copied(studio)
    with open_studio(browser, stack.url) as other:
        visit(other, link)
        other.expect_picture()
        expect(other.page.locator("#film li")).to_have_count(1)
        expect(other.page.locator("#film button")).to_have_accessible_name(re.compile("night"))


def test_a_style_that_the_model_lacks_is_told(studio: StudioPage) -> None:
    visit(studio, copied(studio).replace("%22night%22", "%22aurora%22"))
    expect(notice(studio)).to_contain_text("this model has no style aurora")
    expect(studio.page.get_by_role("radio", name="By seed")).to_be_checked()


def of_ids(*ids: int) -> str:
    """A background of the classes, as a link holds it."""
    buffer = io.BytesIO()
    Image.fromarray(np.array([ids], np.uint8)).save(buffer, "PNG")
    return base64.urlsafe_b64encode(buffer.getvalue()).decode().rstrip("=")


def changed(shared: str, **changes: str) -> str:
    address, _, fragment = shared.partition("#")
    content = {name: value for name, (value,) in parse_qs(fragment).items()}
    return f"{address}#{urlencode({**content, **changes})}"


FAULTS = {
    "cut off": (lambda link: link[:-20], "The link is damaged."),
    "cut off before the objects": (lambda link: link.partition("&objects")[0], "The link is damaged."),
    "one letter is another": (
        lambda link: re.sub(r"(background=.{90})(.)", lambda found: found[1] + ("A" if found[2] != "A" else "B"), link),
        "The link is damaged.",
    ),
    "no seed": (lambda link: changed(link, seed="many"), "The link is damaged."),
    "no letters of base64": (lambda link: changed(link, background="#!"), "The link is damaged."),
    "another model": (
        lambda link: changed(link, model="other"),
        "The link is for the model other, which this service lacks.",
    ),
    "layers of two sizes": (lambda link: changed(link, background=of_ids(0, 1)), "The link is damaged."),
    "ids of no class": (
        lambda link: changed(link, background=of_ids(0, 200), objects=of_ids(0, 0)),
        "The link has ids that this model lacks: 200",
    ),
    "another version": (lambda link: changed(link, link="2"), "The link is of another version of the studio."),
    "foreign": (lambda link: link.partition("#")[0] + "#route=home", "The link holds nothing that the studio knows."),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_link_that_cannot_be_opened_is_told_in_words_and_changes_nothing(studio: StudioPage, fault: str) -> None:
    link = copied(studio)
    mine = studio.labels()
    spoil, words = FAULTS[fault]
    visit(studio, spoil(link))
    expect(notice(studio)).to_contain_text(words)
    studio.expect_labels(mine)
    expect(studio.page.locator("#film li")).to_have_count(0)


def test_a_place_on_the_page_is_no_link_to_be_told_of(studio: StudioPage) -> None:
    mine = studio.labels()
    studio.page.keyboard.press("Escape")
    studio.page.get_by_role("link", name="To the map").press("Enter")
    expect(studio.page.locator("#stage")).to_be_focused()
    expect(notice(studio)).to_be_hidden()
    visit(studio, studio.page.url)
    expect(notice(studio)).to_be_hidden()
    studio.expect_labels(mine)


def test_a_map_with_too_much_detail_is_told_and_not_cut(studio: StudioPage) -> None:
    copied(studio)
    noise = np.random.default_rng(0).choice([0x9CEEDD, 0x7BC800, 0xA8C832], size=(256, 256))
    studio.open_file("noise.png", rgb_png(noise))
    before = studio.page.evaluate("navigator.clipboard.readText()")
    share(studio).click()
    expect(notice(studio)).to_have_text(
        re.compile(r"^The map has too much detail for a link: \d{5} characters, and at most 16000 can be\.")
    )
    assert studio.page.evaluate("navigator.clipboard.readText()") == before
    assert set(studio.labels().flat) == {class_id(name) for name in ("sky", "grass", "tree")}
