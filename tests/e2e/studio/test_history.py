"""The last pictures: kept with what made them, and brought back as one step."""

import re
import time

import numpy as np
import pytest
from playwright.sync_api import expect

from deploy.local.stack import LocalStack
from support.history import begin_with_grass, entries, generate, keeps_another, seed
from support.studio import StudioPage, class_id, newest_job, rgb_png, sleeping_worker, state_of
from support.waiting import wait_until


@pytest.fixture
def studio(studio: StudioPage) -> StudioPage:
    begin_with_grass(studio)
    return studio


def shown(studio: StudioPage) -> str:
    """The picture that is shown, as a PNG that the browser makes of its pixels."""
    read = """(image) => image.decode().then(() => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
      canvas.getContext("2d").drawImage(image, 0, 0);
      return canvas.toDataURL();
    })"""
    png: str = studio.page.locator("#picture").evaluate(read)
    return png


def street(studio: StudioPage) -> None:
    studio.page.locator("#model").select_option("street")
    expect(studio.page.locator("#map-size")).to_have_text("256 × 192")


def test_a_picture_brings_back_map_model_seed_and_style_in_one_step(studio: StudioPage) -> None:
    drawn, _ = studio.labels(), generate(studio, kept=1)
    first = shown(studio)
    street(studio)
    studio.page.get_by_role("radio", name="dusk").check()
    generate(studio, kept=2)
    second, undo = shown(studio), studio.page.get_by_role("button", name="Undo")
    assert second != first
    entries(studio).last.click()
    expect(studio.page.locator("#model")).to_have_value("landscape")
    expect(studio.page.locator("#announcer")).to_have_text(re.compile("Restored: Landscape, Seed 7, "))
    expect(seed(studio)).to_have_value("7")
    expect(studio.page.get_by_role("radio", name="By seed")).to_be_checked()
    studio.expect_labels(drawn)
    assert shown(studio) == first
    undo.click()
    expect(studio.page.locator("#model")).to_have_value("street")
    expect(studio.page.get_by_role("radio", name="dusk")).to_be_checked()
    expect(studio.page.locator("#map-size")).to_have_text("256 × 192")
    assert shown(studio) == second
    studio.page.keyboard.press("Control+y")
    studio.expect_labels(drawn)
    assert shown(studio) == first
    expect(entries(studio)).to_have_count(2)


def test_what_is_painted_after_that_is_what_undo_leads_back_to(studio: StudioPage) -> None:
    generate(studio, kept=1)
    studio.material("tree")
    studio.drag((30, 30), (100, 30))
    entries(studio).first.click()
    expect(studio.page.locator("#announcer")).to_contain_text("Restored")
    seed(studio).fill("8")
    seed(studio).press("Tab")
    studio.drag((30, 100), (100, 100))
    drawn = studio.labels()
    studio.new_map(fill="sea")
    studio.page.keyboard.press("Control+z")
    studio.expect_labels(drawn)
    expect(seed(studio)).to_have_value("8")


def test_what_had_no_picture_has_none_when_a_picture_is_taken_back(studio: StudioPage) -> None:
    generate(studio, kept=1)
    studio.reload()
    seed(studio).fill("123")
    studio.drag((30, 100), (100, 100))
    drawn = studio.labels()
    compare, save = (studio.page.locator(f"#{name}") for name in ("compare", "save-picture"))
    entries(studio).first.click()
    expect(studio.page.locator("#picture")).to_be_visible()
    compare.check()
    studio.page.keyboard.press("Control+z")
    studio.expect_labels(drawn)
    expect(seed(studio)).to_have_value("123")
    expect(studio.page.locator("#picture")).to_be_hidden()
    expect(studio.page.locator("#compare-map")).to_be_hidden()
    for control in (compare, save, studio.page.locator("#full-open")):
        expect(control).to_be_disabled()
    studio.page.keyboard.press("Control+y")
    expect(studio.page.locator("#picture")).to_be_visible()
    expect(save).to_be_enabled()


def test_the_strip_by_keyboard(studio: StudioPage) -> None:
    generate(studio, kept=1)
    seed(studio).fill("8")
    generate(studio, kept=2)
    expect(entries(studio).nth(0)).to_have_accessible_name(re.compile("^Landscape, Seed 8, "))
    keys = studio.page.keyboard
    studio.page.get_by_role("button", name="Clear history").focus()
    keys.press("Shift+Tab")
    expect(entries(studio).nth(0)).to_be_focused()
    keys.press("ArrowRight")
    expect(entries(studio).nth(1)).to_be_focused()
    keys.press("Enter")
    expect(seed(studio)).to_have_value("7")
    keys.press("Home")
    keys.press("Space")
    expect(seed(studio)).to_have_value("8")


def test_a_reload_keeps_the_pictures(studio: StudioPage) -> None:
    drawn, _ = studio.labels(), generate(studio, kept=1)
    first = shown(studio)
    studio.reload()
    studio.new_map(fill="sea")
    entries(studio).first.click()
    expect(studio.page.locator("#announcer")).to_contain_text("Restored")
    expect(studio.page.locator("#picture")).to_be_visible()
    studio.expect_labels(drawn)
    assert shown(studio) == first


def test_objects_come_back_as_objects(studio: StudioPage) -> None:
    studio.layer("Objects")
    studio.brush_size(20)
    studio.click((50, 50))
    drawn, _ = studio.labels(), generate(studio, kept=1)
    studio.new_map(fill="sea")
    entries(studio).first.click()
    expect(studio.page.locator("#announcer")).to_contain_text("Restored")
    studio.expect_labels(drawn)
    studio.page.get_by_role("checkbox", name="Show objects").uncheck()
    assert (studio.labels()[40:60, 45:55] == class_id("sky")).all()


def test_a_variation_that_is_chosen_is_kept_and_others_give_way_to_what_comes_back(studio: StudioPage) -> None:
    generate(studio, kept=1)
    first = shown(studio)
    variations = studio.page.locator("#variations button")
    for kept, place in ((2, 1), (2, None)):
        studio.page.get_by_role("button", name="4 variations").click()
        expect(variations).to_have_count(4, timeout=60_000)
        if place is not None:
            variations.nth(place).click()
        expect(entries(studio)).to_have_count(kept)
    expect(entries(studio).first).to_have_accessible_name(re.compile("^Landscape, Seed 8, "))
    expect(studio.page.locator("#variations")).to_be_visible()
    entries(studio).last.click()
    expect(studio.page.locator("#announcer")).to_contain_text("Restored")
    expect(studio.page.locator("#variations")).to_be_hidden()
    expect(studio.page.locator("#picture")).to_be_visible()
    assert shown(studio) == first


def test_a_picture_as_style_comes_back(studio: StudioPage) -> None:
    with studio.page.expect_file_chooser() as chooser:
        studio.page.get_by_role("button", name="Style from a picture").click()
    picture = rgb_png(np.full((64, 64), 0x804020))
    chooser.value.set_files([{"name": "dusk.png", "mimeType": "image/png", "buffer": picture}])
    style = studio.page.get_by_role("radio", name="Picture", exact=True)
    expect(style).to_be_checked()
    generate(studio, kept=1)
    expect(entries(studio).first).to_have_accessible_name(re.compile(r"^Landscape, dusk\.png, "))
    studio.page.get_by_role("button", name="Remove").click()
    expect(style).to_have_count(0)
    studio.reload()
    entries(studio).first.click()
    expect(style).to_be_checked()


def test_the_same_picture_is_kept_once(studio: StudioPage) -> None:
    for _ in range(2):
        generate(studio, kept=1)


def test_of_a_burst_of_live_pictures_the_last_is_kept_and_all_that_were_asked_for(studio: StudioPage) -> None:
    page = studio.page
    generate(studio, kept=1)
    began = time.time()
    page.clock.set_fixed_time(began)
    with keeps_another(studio, kept=1):
        studio.live(True)
    for x in (40, 80, 120):
        with keeps_another(studio, kept=2):
            studio.drag((x, 30), (x, 60))
    last = studio.labels()
    page.clock.set_fixed_time(began + 60)
    with keeps_another(studio, kept=3):
        studio.drag((160, 30), (160, 60))
    entries(studio).nth(1).click()
    expect(page.locator("#announcer")).to_contain_text("Restored")
    studio.expect_labels(last)


def test_a_picture_that_is_brought_back_gives_up_the_one_that_is_being_made(
    studio: StudioPage, stack: LocalStack
) -> None:
    generate(studio, kept=1)
    seed(studio).fill("8")
    with sleeping_worker(stack):
        studio.page.get_by_role("button", name="Generate").click()
        expect(studio.page.locator("#status")).to_contain_text("In the queue")
        superseded = newest_job(stack)["id"]
        entries(studio).first.click()
        expect(studio.page.locator("#status")).to_contain_text("Made in")
        wait_until(lambda: state_of(stack, superseded) == "canceled", "the job is canceled")
    expect(seed(studio)).to_have_value("7")
