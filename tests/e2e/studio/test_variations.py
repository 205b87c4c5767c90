"""Variations in the studio: several seeds at once, one of which becomes the picture."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import APIResponse, Locator, Route, expect

from api.client import SpadeClient
from deploy.local.stack import LocalStack
from support.studio import StudioPage, newest_job, sleeping_worker, state_of
from support.waiting import wait_until

POLL = re.compile(r"/v1/jobs/[^/?]+\?wait=")
READ_IMAGES = """(images) => Promise.all(images.map(async (image) => {
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL();
}))"""


@pytest.fixture
def studio(studio: StudioPage) -> StudioPage:
    """At seed 7."""
    studio.page.locator("#seed").fill("7")
    return studio


def vary(studio: StudioPage, count: int) -> None:
    studio.page.get_by_role("button", name=f"{count} variations").click()


def grid(studio: StudioPage) -> Locator:
    return studio.page.get_by_role("group", name="Variations")


def cells(studio: StudioPage) -> Locator:
    return grid(studio).get_by_role("button")


def expect_variations(studio: StudioPage, count: int) -> None:
    expect(studio.page.locator("#status")).to_contain_text("Made in", timeout=60_000)
    expect(cells(studio)).to_have_count(count)


def shown(images: Locator) -> list[np.ndarray]:
    """What images show, (H, W, 3)."""
    sources = images.evaluate_all(READ_IMAGES)
    contents = [base64.b64decode(source.partition(",")[2]) for source in sources]
    return [np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for content in contents]


def pictures_of(stack: LocalStack, job: str) -> list[bytes]:
    with SpadeClient(stack.url) as client:
        return [client.picture(item) for item in client.job(job).items]


def seeds_of(stack: LocalStack, job: str) -> list[int]:
    with SpadeClient(stack.url) as client:
        return [item.seed for item in client.job(job).items]


def test_one_job_makes_them_all_each_of_its_seed(studio: StudioPage, stack: LocalStack) -> None:
    vary(studio, 4)
    expect_variations(studio, 4)
    expect(cells(studio)).to_have_text(["Seed 7", "Seed 8", "Seed 9", "Seed 10"])
    job = newest_job(stack)
    assert seeds_of(stack, job["id"]) == [7, 8, 9, 10]
    made = [np.asarray(Image.open(io.BytesIO(content))) for content in pictures_of(stack, job["id"])]
    in_grid = shown(cells(studio).locator("img"))
    assert all(np.array_equal(one, other) for one, other in zip(in_grid, made, strict=True))
    assert len({picture.tobytes() for picture in made}) == 4


def test_the_chosen_one_is_the_picture_and_its_seed_is_kept(studio: StudioPage, stack: LocalStack) -> None:
    studio.page.get_by_role("checkbox", name="Keep the seed").uncheck()
    vary(studio, 4)
    expect_variations(studio, 4)
    job = newest_job(stack)
    seeds = seeds_of(stack, job["id"])
    assert seeds[0] != 7
    cells(studio).nth(2).click()
    expect(grid(studio)).to_be_hidden()
    expect(studio.page.locator("#seed")).to_have_value(str(seeds[2]))
    expect(studio.page.get_by_role("checkbox", name="Keep the seed")).to_be_checked()
    with studio.page.expect_download() as download:
        studio.page.get_by_role("button", name="Save picture").click()
    saved = Path(download.value.path()).read_bytes()
    assert saved == pictures_of(stack, job["id"])[2]
    assert newest_job(stack)["id"] == job["id"]
    with studio.page.expect_response("**/v1/jobs"):
        studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()
    again = newest_job(stack)
    assert again["id"] != job["id"]
    alone, among_others = (
        np.asarray(Image.open(io.BytesIO(content))).astype(int) for content in (*pictures_of(stack, again["id"]), saved)
    )
    assert np.abs(alone - among_others).max() <= 1  # a batch of another size rounds a few values the other way


def test_one_is_chosen_by_keyboard(studio: StudioPage) -> None:
    studio.page.get_by_role("button", name="4 variations").press("Enter")
    expect_variations(studio, 4)
    cells(studio).nth(0).focus()
    studio.page.keyboard.press("Tab")
    studio.page.keyboard.press("Enter")
    expect(studio.page.locator("#seed")).to_have_value("8")
    expect(studio.page.locator("#picture")).to_be_visible()
    expect(studio.page.get_by_role("button", name="4 variations")).to_be_focused()


def test_they_are_shown_as_they_come(studio: StudioPage) -> None:
    held: list[tuple[Route, APIResponse]] = []

    def hold_the_end(route: Route) -> None:
        """Tell at first what the service tells while two of them are made, and the rest only later."""
        answer = route.fetch()
        job = answer.json() if answer.status == 200 else {}
        if job.get("state") != "succeeded":
            route.fulfill(response=answer)
        elif held:
            held.append((route, answer))
        else:
            held.append((route, answer))
            job["state"] = "running"
            for item in job["items"][2:]:
                item |= {"state": "running", "image": None}
            route.fulfill(response=answer, body=json.dumps(job), headers={**answer.headers, "etag": '"half"'})

    studio.page.route(POLL, hold_the_end)
    vary(studio, 4)
    expect(studio.page.locator("#status")).to_have_text("2 of 4 made", timeout=60_000)
    expect(cells(studio)).to_have_text(["Seed 7", "Seed 8"])
    expect(studio.page.locator("#variations > *")).to_have_count(4)
    wait_until(lambda: studio.page.evaluate("true") and len(held) == 2, "the end is asked for")
    route, answer = held[1]
    route.fulfill(response=answer)
    expect_variations(studio, 4)


def test_a_stroke_supersedes_them_when_live(studio: StudioPage, stack: LocalStack) -> None:
    studio.new_map(fill="sky")
    studio.material("grass")
    with sleeping_worker(stack):
        vary(studio, 9)
        expect(studio.page.locator("#status")).to_contain_text("In the queue")
        expect(studio.page.locator("#variations > *")).to_have_count(9)
        job = newest_job(stack)["id"]
        studio.live(True)
        studio.drag((20, 20), (50, 50))
        wait_until(lambda: state_of(stack, job) == "canceled", "the variations are canceled")
        expect(grid(studio)).to_be_hidden()
    studio.expect_picture()
    assert newest_job(stack)["counts"]["total"] == 1


def test_canceled_they_give_way_to_the_picture_before(studio: StudioPage, stack: LocalStack) -> None:
    studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()
    with sleeping_worker(stack):
        vary(studio, 4)
        expect(studio.page.locator("#picture")).to_be_hidden()
        expect(studio.page.locator("#status")).to_contain_text("In the queue")
        job = newest_job(stack)["id"]
        studio.page.get_by_role("button", name="Cancel").click()
        wait_until(lambda: state_of(stack, job) == "canceled", "the variations are canceled")
        expect(studio.page.locator("#status")).to_have_text("Canceled")
        expect(grid(studio)).to_be_hidden()
        expect(studio.page.locator("#picture")).to_be_visible()


def test_the_picture_before_can_be_had_back(studio: StudioPage) -> None:
    studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()
    vary(studio, 4)
    expect_variations(studio, 4)
    studio.page.get_by_role("button", name="Back to the picture").click()
    expect(grid(studio)).to_be_hidden()
    expect(studio.page.locator("#picture")).to_be_visible()
    expect(studio.page.locator("#seed")).to_have_value("7")


def test_a_style_leaves_nothing_to_vary(studio: StudioPage) -> None:
    vary(studio, 4)
    expect_variations(studio, 4)
    studio.page.get_by_role("radio", name="sunset").check()
    expect(studio.page.get_by_role("button", name="4 variations")).to_be_hidden()
    cells(studio).nth(1).click()  # which was made by its seed, not in that style
    expect(studio.page.get_by_role("radio", name="By seed")).to_be_checked()
    expect(studio.page.locator("#seed")).to_be_enabled()
    expect(studio.page.locator("#seed")).to_have_value("8")
