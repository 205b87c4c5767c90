"""Styles in the studio: presets that show what they are, blends of two, and those of pictures of one's own."""

import base64
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from api.client import SpadeClient
from deploy.local.stack import LocalStack
from spade.pictures import encode_picture
from spade.style_pictures import read_style_picture
from support.studio import StudioPage, damage_sent_jpegs, newest_job, open_studio, sleeping_worker, state_of
from support.waiting import wait_until
from workers.messages import style_picture_key
from workers.storage import ObjectStore

DROP = """([name, content]) => {
  const files = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
  files.items.add(new File([bytes], name, { type: "image/jpeg" }));
  return files;
}"""
KEPT = """() => new Promise((resolve) => {
  const opening = indexedDB.open("spade-studio");
  opening.onsuccess = () => {
    const kept = opening.result.transaction("work").objectStore("work");
    const reading = kept.get(sessionStorage.getItem("spade-studio-tab"));
    reading.onsuccess = () => resolve(reading.result?.style ?? null);
  };
})"""


def photo(color: str, file_format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    fading = Image.linear_gradient("L").resize((120, 80))
    Image.composite(Image.new("RGB", (120, 80), color), Image.new("RGB", (120, 80)), fading).save(buffer, file_format)
    return buffer.getvalue()


def choose(studio: StudioPage, style: str) -> None:
    studio.page.get_by_role("radio", name=style, exact=True).check()


def choose_picture(studio: StudioPage, content: bytes, name: str = "dusk.jpg", kind: str = "image/jpeg") -> None:
    with studio.page.expect_file_chooser() as chooser:
        studio.page.get_by_role("button", name="Style from a picture").click()
    chooser.value.set_files([{"name": name, "mimeType": kind, "buffer": content}])


def made(studio: StudioPage, stack: LocalStack) -> np.ndarray:
    """The picture that is made now, (H, W, 3), as the service has it."""
    with studio.page.expect_response("**/v1/jobs"):
        studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()
    with SpadeClient(stack.url) as client:
        (item,) = client.job(newest_job(stack)["id"]).items
        return np.asarray(Image.open(io.BytesIO(client.picture(item))))


def digest(content: bytes) -> str:
    """Of a picture as the service keeps it: equal only where it was sent as it is."""
    return hashlib.sha256(encode_picture(read_style_picture(content))).hexdigest()


def test_every_preset_shows_its_picture_and_makes_another(studio: StudioPage, stack: LocalStack) -> None:
    tiles = studio.page.locator("#styles label")
    expect(tiles).to_have_text(["By seed", "day", "sunset", "night", "winter", "fog"])
    shown = tiles.locator("img").evaluate_all(
        "(images) => Promise.all(images.map((image) => image.decode().then(() => [image.src, image.naturalWidth])))"
    )
    assert len({source for source, _ in shown}) == 5
    assert {width for _, width in shown} == {96}
    pictures = []
    for style in ("day", "night"):
        choose(studio, style)
        pictures.append(made(studio, stack))
        assert newest_job(stack)["style"] == style
    day, night = (picture.mean() for picture in pictures)
    assert day > night + 40


def test_a_blend_goes_by_keyboard_from_the_one_style_to_the_other(studio: StudioPage, stack: LocalStack) -> None:
    ends = {}
    for style in ("day", "sunset"):
        choose(studio, style)
        ends[style] = made(studio, stack)
    choose(studio, "day")
    slider = studio.page.get_by_role("slider", name="Blend of two styles")
    expect(slider).to_be_disabled()
    studio.page.get_by_label("Style to blend with").select_option("sunset")
    expect(slider).to_have_attribute("aria-valuetext", "50 % day, 50 % sunset")
    blended = made(studio, stack)
    assert newest_job(stack)["style"] == {"blend": ["day", "sunset"], "weight": 0.5}
    assert not any(np.array_equal(blended, end) for end in ends.values())
    slider.press("ArrowRight")
    made(studio, stack)
    assert newest_job(stack)["style"] == {"blend": ["day", "sunset"], "weight": 0.55}
    for key, weight, style in (("Home", 0, "day"), ("End", 1, "sunset")):
        slider.press(key)
        assert np.array_equal(made(studio, stack), ends[style])
        assert newest_job(stack)["style"] == {"blend": ["day", "sunset"], "weight": weight}


def test_a_blend_goes_on_with_another_first_style_but_not_with_itself(studio: StudioPage) -> None:
    second = studio.page.get_by_label("Style to blend with")
    choose(studio, "day")
    second.select_option("sunset")
    choose(studio, "night")
    expect(second).to_have_value("sunset")
    expect(studio.page.get_by_role("slider", name="Blend")).to_have_attribute(
        "aria-valuetext", "50 % night, 50 % sunset"
    )
    choose(studio, "sunset")
    expect(second).to_have_value("")
    choose(studio, "By seed")
    expect(second).to_be_hidden()


def test_live_the_slider_supersedes_what_it_began(studio: StudioPage, stack: LocalStack) -> None:
    choose(studio, "day")
    studio.page.get_by_label("Style to blend with").select_option("fog")
    slider = studio.page.get_by_role("slider", name="Blend")
    with sleeping_worker(stack):
        studio.live(True)
        expect(studio.page.locator("#status")).to_contain_text("In the queue")
        first = newest_job(stack)["id"]
        slider.press("ArrowRight")
        wait_until(lambda: state_of(stack, first) == "canceled", "the first job is canceled")
        slider.press("ArrowRight")
    studio.expect_picture()
    assert newest_job(stack)["style"] == {"blend": ["day", "fog"], "weight": 0.6}


def test_a_picture_gives_its_style_until_it_is_removed(studio: StudioPage, stack: LocalStack) -> None:
    content = photo("orange")
    choose_picture(studio, content)
    tile = studio.page.get_by_role("radio", name="Picture", exact=True)
    expect(tile).to_be_checked()
    expect(studio.page.locator("#style-name")).to_have_text("dusk.jpg")
    expect(studio.page.locator("#seed")).to_be_disabled()
    warm = made(studio, stack)
    assert newest_job(stack)["style"] == {"image_sha256": digest(content)}
    choose(studio, "day")
    assert made(studio, stack).mean(axis=(0, 1))[2] > warm.mean(axis=(0, 1))[2]
    tile.check()
    studio.page.get_by_role("button", name="Remove").click()
    expect(studio.page.get_by_role("radio", name="By seed")).to_be_checked()
    expect(studio.page.get_by_role("radio", name="By seed")).to_be_focused()
    expect(tile).to_have_count(0)
    made(studio, stack)
    assert newest_job(stack)["style"] is None


def test_a_picture_that_is_dropped_on_the_styles_is_one_and_no_label_map(studio: StudioPage) -> None:
    before = studio.labels()
    content = base64.b64encode(photo("navy")).decode()
    files = studio.page.evaluate_handle(DROP, ["evening.jpg", content])
    studio.page.dispatch_event("body", "dragover", {"dataTransfer": files})
    expect(studio.page.get_by_text("Drop a picture here")).to_be_visible()
    studio.page.dispatch_event("#styles", "drop", {"dataTransfer": files})
    expect(studio.page.get_by_role("radio", name="Picture", exact=True)).to_be_checked()
    expect(studio.page.locator("#style-name")).to_have_text("evening.jpg")
    expect(studio.page.locator("#drop")).to_be_hidden()
    expect(studio.page.locator("#notice")).to_be_hidden()
    studio.expect_labels(before)


def test_a_large_picture_is_sent_smaller(studio: StudioPage, stack: LocalStack, objects: ObjectStore) -> None:
    noise = np.random.default_rng(1).normal(128, 20, (1200, 1600, 3)).clip(0, 255).astype(np.uint8)
    noise[:600, :, 2] = 230
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    choose_picture(studio, buffer.getvalue(), name="large.png", kind="image/png")
    expect(studio.page.locator("#style-name")).to_have_text("large.png")
    with studio.page.expect_request("**/v1/jobs") as request:
        studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()
    assert request.value.sizes()["requestBodySize"] < 1_500_000 < len(buffer.getvalue())
    stored = np.asarray(Image.open(io.BytesIO(objects.get(style_picture_key(newest_job(stack)["id"])))))
    apart = np.abs(stored.astype(int) - read_style_picture(buffer.getvalue()))
    assert apart.mean() < 10


def test_a_picture_is_known_by_its_content_and_not_by_its_name(studio: StudioPage) -> None:
    payload = {"name": "photo.png", "mimeType": "image/png", "buffer": photo("orange", "GIF")}
    studio.page.locator("#style-file").set_input_files([payload])
    expect(studio.page.locator("#style-name")).to_have_text("photo.png")
    studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()


def test_what_is_no_picture_is_told_in_words(studio: StudioPage) -> None:
    choose_picture(studio, b"nothing", name="notes.png", kind="image/png")
    expect(studio.page.locator("#notice")).to_have_text("notes.png cannot be read as a picture.")
    expect(studio.page.get_by_role("radio", name="By seed")).to_be_checked()


def test_what_the_service_refuses_is_told_in_words(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        damage_sent_jpegs(studio.page)
        choose_picture(studio, photo("teal"), name="moving.jpg")
        expect(studio.page.get_by_role("radio", name="Picture", exact=True)).to_be_checked()
        studio.page.get_by_role("button", name="Generate").click()
        expect(studio.page.locator("#status")).to_have_text(
            "Files cannot be used: moving.jpg: it is no PNG, JPEG or WebP"
        )


def test_a_reload_keeps_the_picture_of_the_style(studio: StudioPage, stack: LocalStack) -> None:
    content = photo("orange", "WEBP")
    studio.new_map(fill="sky")
    choose_picture(studio, content, name="kept.webp", kind="image/webp")
    wait_until(lambda: (studio.page.evaluate(KEPT) or {}).get("name") == "kept.webp", "the work is kept")
    studio.reload()
    expect(studio.page.get_by_role("radio", name="Picture", exact=True)).to_be_checked()
    expect(studio.page.locator("#style-name")).to_have_text("kept.webp")
    made(studio, stack)
    assert newest_job(stack)["style"] == {"image_sha256": digest(content)}


def test_a_reload_keeps_a_blend(studio: StudioPage) -> None:
    studio.new_map(fill="sky")
    choose(studio, "night")
    studio.page.get_by_label("Style to blend with").select_option("winter")
    studio.page.get_by_role("slider", name="Blend").press("ArrowLeft")
    wait_until(lambda: studio.page.evaluate(KEPT) == {"blend": ["night", "winter"], "weight": 0.45}, "it is kept")
    studio.reload()
    expect(studio.page.get_by_role("radio", name="night")).to_be_checked()
    expect(studio.page.get_by_role("slider", name="Blend")).to_have_attribute(
        "aria-valuetext", "55 % night, 45 % winter"
    )


@pytest.mark.parametrize("style", ["a picture", "a blend"])
def test_a_project_brings_its_style_along(studio: StudioPage, stack: LocalStack, style: str) -> None:
    content = photo("orange")
    if style == "a picture":
        choose_picture(studio, content)
        expect(studio.page.locator("#style-name")).to_have_text("dusk.jpg")
        expected: object = {"image_sha256": digest(content)}
    else:
        choose(studio, "day")
        studio.page.get_by_label("Style to blend with").select_option("night")
        expected = {"blend": ["day", "night"], "weight": 0.5}
    with studio.page.expect_download() as download:
        studio.menu("Save project")
    choose(studio, "fog")
    studio.open_file("mine.studio.json", Path(download.value.path()).read_bytes())
    made(studio, stack)
    assert newest_job(stack)["style"] == expected


def test_another_model_offers_its_own_styles(studio: StudioPage) -> None:
    choose(studio, "winter")
    model, tiles = studio.page.locator("#model"), studio.page.locator("#styles label")
    model.select_option("street")
    expect(tiles).to_have_text(["By seed", "day", "dusk"])
    expect(studio.page.get_by_role("radio", name="By seed")).to_be_checked()
    choose(studio, "day")
    model.select_option("landscape")
    expect(tiles).to_have_count(6)
    expect(studio.page.get_by_role("radio", name="day")).to_be_checked()
    model.select_option("coco-stuff")
    expect(studio.page.locator("#style-tiles")).to_be_hidden()
    expect(studio.page.get_by_role("button", name="variations")).to_have_count(0)
