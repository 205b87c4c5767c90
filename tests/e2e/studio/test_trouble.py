"""The service away at the wrong moment, or too busy: the studio says so in words and goes on, hammering at nothing."""

import re

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from deploy.local.stack import LocalStack
from support.browser import page_of
from support.looks import serious_faults
from support.studio import newest_job, open_studio, sleeping_worker, state_of
from support.waiting import wait_until
from workers.messages import label_map_key
from workers.storage import ObjectStore

POLL = re.compile(r"/v1/jobs/[^/?]+\?wait=")


def test_a_job_is_asked_for_once_a_second_where_all_places_for_waiting_are_taken(
    browser: Browser, stack: LocalStack
) -> None:
    # As the browser tells it: here one may hear of a question late, and of the next in time.
    starts = """() => performance.getEntriesByType("resource").filter(({ name }) => name.includes("?wait="))
      .map(({ startTime }) => startTime)"""

    def answer_at_once(route: Route) -> None:
        route.continue_(url=route.request.url.partition("?")[0])

    with sleeping_worker(stack), open_studio(browser, stack.url) as studio:
        studio.page.route(POLL, answer_at_once)
        studio.page.keyboard.press("Control+Enter")
        wait_until(lambda: len(studio.page.evaluate(starts)) > 2, "it has asked thrice")
        assert np.diff(studio.page.evaluate(starts)).min() > 900
        studio.page.get_by_role("button", name="Cancel").click()
        assert studio.wrong == []


def test_a_gateway_that_answers_for_the_service_is_asked_again(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        page = "<h1>Bad gateway</h1>"
        studio.page.route(
            "**/v1/jobs", lambda route: route.fulfill(status=502, content_type="text/html", body=page), times=1
        )
        studio.page.keyboard.press("Control+Enter")
        expect(studio.page.locator("#status")).to_have_text("The service is away: HTTP 502. Trying again in 3 s.")
        studio.expect_picture()


def test_an_answer_that_breaks_off_is_asked_for_again(browser: Browser, stack: LocalStack) -> None:
    def cut(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.body()[:20])

    with open_studio(browser, stack.url) as studio:
        studio.page.route(POLL, cut, times=1)
        studio.page.keyboard.press("Control+Enter")
        expect(studio.page.locator("#status")).to_have_text("The service does not answer. Trying again in 3 s.")
        studio.expect_picture()
        assert studio.wrong == []


@pytest.mark.parametrize("swallowed", ["**/v1/jobs", POLL])
def test_what_a_network_swallows_is_asked_for_again(
    browser: Browser, stack: LocalStack, swallowed: str | re.Pattern[str]
) -> None:
    with open_studio(browser, stack.url) as studio:
        studio.page.evaluate("() => { const real = AbortSignal.timeout; AbortSignal.timeout = () => real(2000); }")
        held: list[Route] = []  # and never let go
        studio.page.route(swallowed, lambda route: held.append(route), times=1)
        studio.page.keyboard.press("Control+Enter")
        expect(studio.page.locator("#status")).to_have_text("The service does not answer. Trying again in 3 s.")
        studio.page.evaluate("() => { AbortSignal.timeout = () => new AbortController().signal; }")
        studio.expect_picture()
        assert studio.wrong == []


def test_what_goes_wrong_is_told_in_the_language_of_the_browser(
    browser: Browser, stack: LocalStack, objects: ObjectStore
) -> None:
    with open_studio(browser, stack.url, locale="zh-CN") as studio:
        status = studio.page.locator("#status")
        with sleeping_worker(stack):
            with studio.page.expect_response("**/v1/jobs"):
                studio.page.keyboard.press("Control+Enter")
            objects.delete_prefix(label_map_key(newest_job(stack)["id"], 0))
        expect(status).to_contain_text("无法生成：无法读取已上传的文件（", timeout=60_000)
        studio.page.route("**/v1/jobs", lambda route: route.continue_(post_data=b"no form"), times=1)
        studio.page.keyboard.press("Control+Enter")
        expect(status).to_contain_text("参数无法使用：")


def test_what_could_not_be_canceled_is_canceled_when_the_service_lets_it(browser: Browser, stack: LocalStack) -> None:
    problem = '{"type": "urn:spade-serving:problem:rate-limited"}'
    with sleeping_worker(stack), open_studio(browser, stack.url) as studio:
        studio.page.route(
            "**/cancel", lambda route: route.fulfill(status=429, headers={"Retry-After": "1"}, body=problem), times=1
        )
        studio.page.keyboard.press("Control+Enter")
        expect(studio.page.locator("#status")).to_contain_text("In the queue")
        job = newest_job(stack)["id"]
        with studio.page.expect_response(lambda answer: answer.url.endswith("/cancel") and answer.ok):
            studio.page.get_by_role("button", name="Cancel").click()
        assert state_of(stack, job) == "canceled"


def test_a_browser_that_keeps_nothing_makes_pictures_all_the_same(browser: Browser, stack: LocalStack) -> None:
    """As Chromium does where a person blocks the data of all sites."""
    blocked = """for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
      Object.defineProperty(window, name, { get: () => { throw new DOMException("blocked", "SecurityError"); } });
    }"""
    with browser.new_context() as context:
        context.add_init_script(blocked)
        page = context.new_page()
        page.goto(f"{stack.url}/studio")
        expect(page.locator("body.ready")).to_be_attached()
        page.get_by_role("button", name="Generate").click()
        expect(page.locator("#picture")).to_be_visible(timeout=60_000)


@pytest.mark.parametrize(
    ("locale", "words"),
    [("en-GB", "This service has no model that can make pictures."), ("zh-CN", "此服务没有可以生成图片的模型。")],
)
def test_a_service_without_models_is_told_of_until_it_has_one(
    browser: Browser, stack: LocalStack, locale: str, words: str
) -> None:
    with page_of(browser, locale=locale) as (page, wrong):
        jobs: list[str] = []
        page.on("request", lambda request: jobs.append(request.url) if request.method == "POST" else None)
        page.route("**/v1/models", lambda route: route.fulfill(json={"models": []}))
        page.goto(f"{stack.url}/studio")
        told = page.get_by_role("status").filter(has_text=words)
        expect(told).to_contain_text("spade-serve models pull --all")
        assert serious_faults(page) == []
        page.mouse.click(*middle_of(page.locator("#generate")))
        for _ in range(3):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.closest('header, main, #history')") is None
        page.keyboard.press("Control+Enter")
        assert (jobs, wrong) == ([], [])
        page.unroute("**/v1/models")
        expect(page.locator("body.ready")).to_be_attached(timeout=20_000)
        expect(told).to_be_hidden()
        page.locator("#generate").click()
        expect(page.locator("#picture")).to_be_visible(timeout=60_000)
        assert wrong == []


def middle_of(element: Locator) -> tuple[float, float]:
    box = element.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
