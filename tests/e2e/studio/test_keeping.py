"""What is remembered: the work when the page is left, and as many steps as memory should hold."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Route, expect

from deploy.local.stack import LocalStack
from support.history import entries
from support.studio import StudioPage, class_id, open_studio

LARGEST = 2048
BYTES_A_STEP = 2 * 2 * LARGEST**2  # two layers of two bytes a pixel
MOST_BYTES = 128 * 2**20
# A browser tells of a full disk only when what was put is to be written.
FILL_DISK = """() => {
  const [{ put }, { commit }] = [IDBObjectStore.prototype, IDBTransaction.prototype];
  IDBTransaction.prototype.commit = () => undefined;
  IDBObjectStore.prototype.put = function (...content) {
    const request = put.apply(this, content);
    request.addEventListener("success", () => this.transaction.abort());
    return request;
  };
  window.makeRoom = () => {
    IDBObjectStore.prototype.put = put;
    IDBTransaction.prototype.commit = commit;
  };
}"""
FILL_HISTORY = "() => { IDBObjectStore.prototype.add = () => { throw new DOMException('', 'QuotaExceededError'); }; }"


def test_a_stroke_is_kept_although_the_page_is_left_at_once(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        studio.new_map(fill="snow")
        studio.material("road")
        studio.drag((20, 20), (100, 100))
        studio.reload()
        assert set(studio.labels().flat) == {class_id("snow"), class_id("road")}


def test_the_oldest_steps_are_forgotten_when_all_take_too_much_memory(browser: Browser, stack: LocalStack) -> None:
    buffer = io.BytesIO()
    Image.new("L", (LARGEST, LARGEST)).save(buffer, "PNG")
    with open_studio(browser, stack.url) as studio:
        studio.open_file("large.png", buffer.getvalue())
        for _ in range(MOST_BYTES // BYTES_A_STEP + 2):
            studio.menu("Flip left and right")
        undo = studio.page.get_by_role("button", name="Undo")
        steps = 0
        while undo.is_enabled():
            undo.click()
            steps += 1
        assert steps == MOST_BYTES // BYTES_A_STEP


def painted(studio: StudioPage) -> np.ndarray:
    """A map of snow and road, which the person painted."""
    studio.new_map(fill="snow")
    studio.material("road")
    studio.drag((20, 20), (100, 100))
    return studio.labels()


def test_a_link_that_is_opened_after_another_model_was_chosen_leaves_what_was_painted(
    browser: Browser, stack: LocalStack
) -> None:
    with open_studio(browser, stack.url) as studio:
        studio.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        studio.page.get_by_role("button", name="Copy a link to this").click()
        expect(studio.page.get_by_role("alert")).to_contain_text("The link is copied.")
        link = studio.page.evaluate("navigator.clipboard.readText()")
        mine = painted(studio)
        studio.page.locator("#model").select_option("street")
        expect(studio.page.locator("#map-size")).to_have_text("256 × 192")
        studio.page.evaluate("(link) => { location.href = link; }", link)
        expect(studio.page.get_by_role("alert")).to_contain_text("This is what was shared.")
        studio.expect_picture()
        studio.reload()
        assert not np.array_equal(studio.labels(), mine)
        entries(studio).last.click()
        expect(studio.page.locator("#announcer")).to_contain_text("Restored: Landscape")
        studio.expect_labels(mine)


@contextmanager
def without_landscape(studio: StudioPage) -> Iterator[None]:
    """Its model is not served while the body runs."""

    def answer(route: Route) -> None:
        models = route.fetch().json()["models"]
        route.fulfill(json={"models": [model for model in models if model["name"] != "landscape"]})

    studio.page.route("**/v1/models", answer)
    yield
    studio.page.unroute("**/v1/models")


def test_work_whose_model_is_not_served_any_more_is_in_the_history(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        mine = painted(studio)
        with without_landscape(studio):
            studio.reload()
            expect(studio.page.get_by_role("alert")).to_contain_text("Your last map is for the model landscape")
            expect(entries(studio)).to_have_count(1)
            studio.reload()
            expect(entries(studio)).to_have_count(1)
            studio.menu("Clear everything")
            studio.reload()
            expect(studio.page.locator("#model")).not_to_have_value("landscape")
            expect(studio.page.get_by_role("alert")).to_be_hidden()
        studio.reload()
        entries(studio).first.click()
        expect(studio.page.locator("#announcer")).to_contain_text("Restored: Landscape")
        studio.expect_labels(mine)
        assert studio.wrong == []


def test_work_that_the_browser_does_not_keep_is_marked_and_told_of_each_time(
    browser: Browser, stack: LocalStack
) -> None:
    with open_studio(browser, stack.url) as studio:
        mark, notice = studio.page.get_by_text("Not kept", exact=True), studio.page.get_by_role("alert")
        painted(studio)
        expect(mark).to_be_hidden()
        for _ in range(2):
            studio.page.evaluate(FILL_DISK)
            studio.drag((150, 20), (150, 100))
            expect(notice).to_contain_text("The browser does not keep the work")
            expect(mark).to_be_visible()
            studio.page.evaluate("notice.hidden = true")  # as it is after a while
            studio.drag((180, 20), (180, 100))
            studio.page.wait_for_timeout(300)  # longer than the pause before the work is kept
            expect(notice).to_be_hidden()
            expect(mark).to_be_visible()
            studio.page.evaluate("makeRoom()")
            studio.drag((20, 150), (100, 150))
            expect(mark).to_be_hidden()
            studio.page.keyboard.press("Control+z")
            studio.page.keyboard.press("Control+z")
            studio.page.keyboard.press("Control+z")
        drawn = studio.labels()
        expect(notice).to_be_hidden()
        studio.reload()
        studio.expect_labels(drawn)


def test_what_cannot_be_put_into_the_history_is_not_written_over(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        mine = painted(studio)
        mark = studio.page.get_by_text("Not kept", exact=True)
        studio.page.evaluate(FILL_HISTORY)
        studio.page.locator("#model").select_option("street")
        expect(studio.page.locator("#map-size")).to_have_text("256 × 192")
        studio.material("pedestrian")
        studio.drag((30, 30), (50, 50))
        expect(mark).to_be_visible()
        studio.reload()
        studio.expect_labels(mine)
        studio.page.locator("#model").select_option("street")
        studio.material("pedestrian")
        studio.drag((30, 30), (50, 50))
        expect(entries(studio)).to_have_count(1)
        expect(mark).to_be_hidden()
        entries(studio).first.click()
        expect(studio.page.locator("#announcer")).to_contain_text("Restored: Landscape")
        studio.expect_labels(mine)
