"""How fast the studio is, on a machine that it has for itself."""

import json
import time

import pytest
from playwright.sync_api import Browser

from deploy.local.stack import LocalStack
from support.studio import class_id, open_studio

LONGEST_TASK_MILLISECONDS = 50
FIRST_PICTURE_SECONDS = 1.0
TASK = "ThreadControllerImpl::RunTask"


def longest_task(trace: bytes) -> float:
    """Milliseconds of computing of the longest task of the page's own thread; what others computed does not count."""
    events = json.loads(trace)["traceEvents"]
    names = [event for event in events if event["name"] == "thread_name"]
    threads = {(event["pid"], event["tid"]) for event in names if event["args"]["name"] == "CrRendererMain"}
    tasks = [event for event in events if event["name"] == TASK and (event["pid"], event["tid"]) in threads]
    assert len(tasks) > 100, "the trace shows no painting"
    return max(task["tdur"] for task in tasks if "tdur" in task) / 1000


@pytest.mark.alone
def test_painting_at_512x512_never_keeps_the_browser_busy_for_long(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        studio.new_map(fill="sky", size="512 × 512")
        studio.material("grass")
        studio.brush_size(60)
        browser.start_tracing(page=studio.page, categories=["toplevel"])
        for tool in ("Brush", "Rectangle", "Ellipse", "Eraser", "Line"):
            studio.tool(tool)
            studio.drag((30, 30), *((30 + 9 * step % 450, 30 + 23 * step % 450) for step in range(60)))
        studio.tool("Fill")
        studio.click((500, 500))
        studio.page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))")
        assert longest_task(browser.stop_tracing()) < LONGEST_TASK_MILLISECONDS
        assert (studio.labels() == class_id("grass")).any()


@pytest.mark.alone
def test_the_first_picture_is_there_a_second_after_the_first_stroke(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:  # another picture, so that the worker has the model in memory
        studio.page.get_by_role("button", name="Generate").click()
        studio.expect_picture()
    with open_studio(browser, stack.url) as studio:
        studio.live(True)
        studio.expect_picture()
        studio.new_map(fill="sky")
        studio.expect_picture()
        studio.material("grass")
        before = studio.page.locator("#picture").get_attribute("src")
        studio.drag((20, 200), (120, 180), (235, 200))
        stroked = time.monotonic()
        studio.page.wait_for_function("(before) => picture.src !== before && picture.complete", arg=before)
        assert time.monotonic() - stroked < FIRST_PICTURE_SECONDS
