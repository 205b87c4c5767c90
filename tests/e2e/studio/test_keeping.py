"""What is remembered: the work when the page is left, and as many steps as memory should hold."""

import io

from PIL import Image
from playwright.sync_api import Browser, expect

from deploy.local.stack import LocalStack
from support.studio import class_id, open_studio

LARGEST = 2048
BYTES_A_STEP = 2 * 2 * LARGEST**2  # two layers of two bytes a pixel
MOST_BYTES = 128 * 2**20


def test_a_stroke_is_kept_although_the_page_is_left_at_once(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        studio.new_map(fill="snow")
        studio.material("road")
        studio.drag((20, 20), (100, 100))
        studio.page.reload()
        expect(studio.page.locator("body.ready")).to_be_attached()
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
