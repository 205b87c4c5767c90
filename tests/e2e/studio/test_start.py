"""How the page begins: with a service that is there, is slow, or is away."""

import numpy as np
from playwright.sync_api import Browser, Page, Route, expect

from deploy.examples import example_label_maps
from deploy.local.stack import LocalStack
from support.browser import page_of
from support.studio import StudioPage, open_studio, read_ids

AVENUE = next(example.path for example in example_label_maps() if example.path.stem == "avenue")
AWAY = "The service does not answer. Trying again in 3 s."


def test_a_first_picture_is_in_the_first_style_of_the_model(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url, live=True, styled=True) as studio:
        studio.expect_picture()
        expect(studio.page.get_by_role("radio", name="day", exact=True)).to_be_checked()


def test_nothing_can_be_painted_before_the_service_has_answered(browser: Browser, stack: LocalStack) -> None:
    with page_of(browser) as (page, _):
        page.add_init_script("addEventListener('DOMContentLoaded', () => (window.live ?? {}).checked = false)")
        page.route("**/v1/models", lambda route: route.abort())
        page.goto(f"{stack.url}/studio")
        told = page.get_by_role("status").filter(has_text=AWAY)
        expect(told).to_be_visible()
        studio = StudioPage(page, [])
        studio.drag((20, 20), (60, 60))
        page.keyboard.press("Control+Enter")
        expect(page.locator("#undo")).to_be_disabled()
        page.unroute("**/v1/models")
        expect(page.locator("body.ready")).to_be_attached(timeout=20_000)
        expect(told).to_be_hidden()
        expect(page.locator("#status")).to_be_empty()


def test_a_service_that_takes_long_is_waited_for_in_words(browser: Browser, stack: LocalStack) -> None:
    waiting: list[Route] = []
    with page_of(browser) as (page, wrong):
        page.route("**/v1/models", lambda route: waiting.append(route))
        page.goto(f"{stack.url}/studio")
        told = page.get_by_role("status").filter(has_text="Waiting for the service")
        expect(told).to_be_visible()
        waiting[0].continue_()
        expect(page.locator("body.ready")).to_be_attached()
        expect(told).to_be_hidden()
        assert wrong == []


def choose(page: Page, model: str) -> None:
    page.locator("#model").select_option(model)


def test_an_example_that_nobody_painted_on_gives_way_to_one_of_the_other_model(
    browser: Browser, stack: LocalStack
) -> None:
    with open_studio(browser, stack.url) as studio:
        before = studio.labels()
        choose(studio.page, "street")
        expect(studio.page.locator("#map-size")).to_have_text("256 × 192")
        assert np.array_equal(read_ids(studio.saved_map()), read_ids(AVENUE.read_bytes()))
        expect(studio.page.locator("#notice")).to_be_hidden()
        choose(studio.page, "landscape")
        studio.expect_labels(before)


def test_what_another_model_lacks_of_a_map_is_told(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        studio.new_map(fill="sky")
        studio.material("sea")
        studio.drag((0, 200), (255, 255))
        choose(studio.page, "street")
        expect(studio.page.locator("#notice")).to_contain_text("pixels have a material that this model lacks")
