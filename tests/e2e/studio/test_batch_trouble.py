"""A batch that the service refuses, or does not answer: told in words, and sent again where that may help."""

import json
from collections.abc import Callable

from playwright.sync_api import Browser, Route, expect

from deploy.local.stack import LocalStack
from support.batches import MAPS, BatchDialog
from support.studio import open_studio, sleeping_worker

PROBLEM = "urn:spade-serving:problem:"


def answer_with(status: int, slug: str, **headers: str) -> Callable[[Route], None]:
    body = json.dumps({"type": PROBLEM + slug, "title": "Refused", "detail": "more words"})
    return lambda route: route.fulfill(status=status, headers=headers, body=body)


def test_a_full_queue_and_a_service_that_is_away_are_told_and_asked_again(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        batch = BatchDialog(studio)
        batch.choose(MAPS)
        studio.page.route("**/v1/jobs", answer_with(429, "queue-full", **{"Retry-After": "1"}), times=1)
        batch.send()
        expect(batch.status).to_have_text("The queue is full. Trying again in 1 s.")
        batch.expect_end()
        batch.button("New batch").click()
        batch.choose(MAPS)
        studio.page.route("**/v1/jobs", lambda route: route.abort(), times=1)
        batch.send()
        expect(batch.status).to_have_text("The service does not answer. Trying again in 3 s.")
        batch.expect_end()


def test_without_a_worker_it_says_so_and_goes_on_when_there_is_one(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        batch = BatchDialog(studio)
        batch.choose(MAPS)
        with sleeping_worker(stack):
            batch.send()
            expect(batch.status).to_have_text("Still in the queue: perhaps no worker is running.", timeout=30_000)
        batch.expect_end()


def test_what_is_too_large_is_told_in_words(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        batch = BatchDialog(studio)
        batch.choose(MAPS)
        studio.page.route("**/v1/jobs", answer_with(413, "request-entity-too-large"))
        batch.send()
        expect(batch.status).to_contain_text("more than the service takes at once")
        expect(batch.button("Make the pictures")).to_be_enabled()
