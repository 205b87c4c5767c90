"""Another model: the map goes with the person, and back, and nothing that was painted is lost."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from deploy.local.stack import LocalStack
from support.studio import StudioPage, class_id, open_studio


@pytest.fixture
def studio(studio: StudioPage) -> StudioPage:
    """A map of sky and grass."""
    studio.new_map(fill="sky")
    studio.material("grass")
    studio.drag((30, 200), (220, 180))
    return studio


def choose(studio: StudioPage, model: str) -> None:
    studio.page.locator("#model").select_option(model)


def expect_model(studio: StudioPage, model: str, material: str) -> None:
    expect(studio.page.locator("#model")).to_have_value(model)
    expect(studio.page.locator("#palette-list").get_by_role("button", name=material, exact=True)).to_be_visible()


def test_another_model_is_a_step_that_is_taken_back_and_again(studio: StudioPage) -> None:
    drawn = studio.labels()
    choose(studio, "street")
    expect(studio.page.locator("#map-size")).to_have_text("256 × 192")
    studio.page.keyboard.press("Control+z")
    expect_model(studio, "landscape", "sea")
    studio.expect_labels(drawn)
    studio.page.keyboard.press("Control+y")
    expect_model(studio, "street", "pedestrian")
    expect(studio.page.locator("#map-size")).to_have_text("256 × 192")


def test_a_project_of_another_model_is_taken_back_with_its_model(studio: StudioPage) -> None:
    drawn = studio.labels()
    choose(studio, "street")
    with studio.page.expect_download() as download:
        studio.menu("Save project")
    studio.page.keyboard.press("Control+z")
    studio.open_file("street.studio.json", Path(download.value.path()).read_bytes())
    expect_model(studio, "street", "pedestrian")
    studio.page.keyboard.press("Control+z")
    expect_model(studio, "landscape", "sea")
    studio.expect_labels(drawn)


def test_another_model_takes_the_place_of_kept_work_only_when_something_is_painted(studio: StudioPage) -> None:
    drawn = studio.labels()
    choose(studio, "street")
    expect_model(studio, "street", "pedestrian")
    studio.reload()
    expect_model(studio, "landscape", "sea")
    studio.expect_labels(drawn)
    choose(studio, "street")
    expect_model(studio, "street", "pedestrian")
    studio.material("pedestrian")
    studio.drag((30, 30), (50, 50))
    studio.reload()
    expect_model(studio, "street", "pedestrian")


def test_what_was_copied_is_not_pasted_in_the_classes_of_another_model(studio: StudioPage) -> None:
    studio.page.keyboard.press("Control+a")
    studio.page.keyboard.press("Control+c")
    choose(studio, "street")
    expect_model(studio, "street", "pedestrian")
    before = studio.labels()
    studio.page.keyboard.press("Control+v")
    studio.expect_labels(before)


def test_an_example_that_cannot_be_had_changes_nothing(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        studio.new_map(fill="snow")
        studio.page.route("**/studio/beach.png", lambda route: route.fulfill(status=503, body="away"))
        studio.menu("beach")
        expect(studio.page.locator("#notice")).to_have_text("beach cannot be had now.")
        assert (studio.labels() == class_id("snow")).all()
