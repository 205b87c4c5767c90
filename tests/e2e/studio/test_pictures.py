"""Pictures of what is painted: by the real service, also while parts of it are away."""

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Route, expect

from api.client import SpadeClient
from deploy.local.stack import LocalStack
from spade.label_images import decode_instance_map
from support.studio import StudioPage, class_id, newest_job, open_studio, read_ids, sleeping_worker, state_of
from support.waiting import wait_until
from workers.messages import instance_map_key, label_map_key
from workers.storage import ObjectStore


def generate(studio: StudioPage) -> None:
    studio.page.get_by_role("button", name="Generate").click()


def test_what_is_sent_is_what_is_drawn_and_its_picture_comes_back(
    studio: StudioPage, stack: LocalStack, objects: ObjectStore
) -> None:
    studio.new_map(fill="sky")
    studio.material("grass")
    studio.drag((20, 200), (230, 220))
    studio.tool("Eraser")
    studio.drag((60, 40), (90, 40))
    studio.page.locator("#seed").fill("7")
    generate(studio)
    studio.expect_picture()
    job = newest_job(stack)
    assert np.array_equal(read_ids(objects.get(label_map_key(job["id"], 0))), studio.labels())
    assert job["priority"] == "interactive"
    with studio.page.expect_download() as download:
        studio.page.get_by_role("button", name="Save picture").click()
    saved = Path(download.value.path()).read_bytes()
    with SpadeClient(stack.url) as client:
        (item,) = client.job(job["id"]).items
        assert item.seed == 7
        assert client.picture(item) == saved
    with Image.open(io.BytesIO(saved)) as picture:
        assert picture.size == (256, 256)


def test_objects_are_sent_as_an_instance_map_to_a_model_that_uses_them(
    studio: StudioPage, stack: LocalStack, objects: ObjectStore
) -> None:
    studio.page.locator("#model").select_option("coco-stuff")
    studio.page.locator("#palette-search").fill("car")
    studio.material("car")
    studio.layer("Objects")
    studio.brush_size(20)
    studio.click((50, 50))
    studio.click((150, 50))
    with studio.page.expect_response("**/v1/jobs"):
        generate(studio)
    job = newest_job(stack)
    assert job["model"]["name"] == "coco-stuff"
    instances = decode_instance_map(objects.get(instance_map_key(job["id"], 0)), file="instances.png")
    assert len({instances[50, 50], instances[50, 150], instances[200, 200]}) == 3
    studio.page.get_by_role("button", name="Cancel").click()
    expect(studio.page.locator("#status")).to_have_text("Canceled")


def test_a_style_decides_instead_of_the_seed(studio: StudioPage, stack: LocalStack) -> None:
    studio.page.get_by_role("radio", name="sunset").check()
    expect(studio.page.locator("#seed")).to_be_disabled()
    generate(studio)
    studio.expect_picture()
    assert newest_job(stack)["style"] == "sunset"


def test_an_unlocked_seed_is_another_each_time(studio: StudioPage) -> None:
    seeds = set()
    studio.page.get_by_role("checkbox", name="Keep the seed").uncheck()
    for _ in range(2):
        generate(studio)
        studio.expect_picture()
        seeds.add(studio.page.locator("#seed").input_value())
    assert len(seeds) == 2
    studio.page.get_by_role("button", name="Another seed").click()
    assert studio.page.locator("#seed").input_value() not in seeds


def test_live_a_later_stroke_cancels_the_job_of_an_earlier_one(
    studio: StudioPage, stack: LocalStack, objects: ObjectStore
) -> None:
    studio.new_map(fill="sky")
    studio.material("grass")
    with sleeping_worker(stack):
        studio.live(True)
        studio.drag((20, 20), (50, 50))
        expect(studio.page.locator("#status")).to_contain_text("In the queue")
        first = newest_job(stack)["id"]
        studio.drag((120, 120), (150, 150))
        wait_until(lambda: state_of(stack, first) == "canceled", "the first job is canceled")
    studio.expect_picture()
    last = newest_job(stack)["id"]
    assert last != first
    assert np.array_equal(read_ids(objects.get(label_map_key(last, 0))), studio.labels())


def test_without_a_worker_it_says_so_and_goes_on_when_there_is_one(studio: StudioPage, stack: LocalStack) -> None:
    with sleeping_worker(stack):
        polls: list[str] = []

        def ask_often(route: Route) -> None:
            polls.append(route.request.url)
            route.continue_(url=route.request.url.replace("wait=20", "wait=1"))

        studio.page.route("**/v1/jobs/*", ask_often)
        generate(studio)
        status = studio.page.locator("#status", has_text="perhaps no worker is running")
        expect(status).to_be_visible(timeout=30_000)
        before = len(polls)
        wait_until(lambda: studio.page.evaluate("0") or len(polls) > before + 2, "it asked again")
        expect(status).to_be_visible()
    studio.expect_picture()


def test_a_seed_that_is_typed_is_shown_as_it_is_used(studio: StudioPage) -> None:
    seed = studio.page.locator("#seed")
    studio.page.get_by_role("checkbox", name="Keep the seed").check()
    for typed, used in (("-5", "0"), ("1e3", "1000"), ("1.5", "2"), ("e", "0"), ("9" * 20, str(2**53 - 65))):
        seed.fill("")
        seed.press_sequentially(typed)
        seed.press("Control+Enter")
        expect(seed).to_have_value(used)
        expect(studio.page.locator("#picture")).to_have_attribute("alt", re.compile(rf"\b{used}\b"), timeout=60_000)


def test_who_cancels_by_keyboard_is_where_a_picture_is_asked_for(studio: StudioPage, stack: LocalStack) -> None:
    with sleeping_worker(stack):
        generate(studio)
        cancel = studio.page.locator("#stop")
        cancel.focus()
        cancel.press("Enter")
        expect(studio.page.get_by_role("button", name="Generate")).to_be_focused()


def test_without_an_answer_it_says_so_and_tries_again(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        studio.page.context.set_offline(True)
        generate(studio)
        expect(studio.page.locator("#status")).to_have_text(re.compile(r"does not answer. Trying again in \d s"))
        studio.page.context.set_offline(False)
        studio.expect_picture()


def test_a_reload_goes_on_with_the_work(studio: StudioPage) -> None:
    studio.new_map(fill="snow", size="512 × 512")
    studio.material("road")
    studio.drag((20, 20), (300, 300))
    studio.page.locator("#seed").fill("99")
    studio.page.get_by_role("radio", name="night").check()
    drawn = studio.labels()
    kept = """() => new Promise((resolve) => {
      const opening = indexedDB.open("spade-studio");
      opening.onsuccess = () => {
        const kept = opening.result.transaction("work").objectStore("work");
        const reading = kept.get(sessionStorage.getItem("spade-studio-tab"));
        reading.onsuccess = () => resolve(reading.result?.seed === 99 && reading.result?.style === "night");
      };
    })"""
    wait_until(lambda: studio.page.evaluate(kept), "the work is kept")
    studio.reload()
    studio.expect_labels(drawn)
    assert class_id("road") in studio.labels()
    expect(studio.page.locator("#seed")).to_have_value("99")
    expect(studio.page.get_by_role("radio", name="night")).to_be_checked()
