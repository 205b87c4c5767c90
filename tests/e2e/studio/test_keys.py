"""A service that asks for API keys: the studio asks the person, and sends the key that it was given."""

import base64
import os
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from deploy.local.stack import LocalStack, running
from support.batches import MAPS, BatchDialog, read_zip
from support.keys import make_key
from support.studio import StudioPage, open_studio
from support.waiting import wait_until
from workers.limits import Rate
from workers.storage import ObjectStore

THINK_BETTER_OF_IT = """() => {
  window.showSaveFilePicker = () => Promise.reject(new DOMException("", "AbortError"));
}"""
SAVE_INTO_THE_PAGES_OWN_FILES = """() => {
  window.showSaveFilePicker = async ({ suggestedName }) =>
    (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true });
}"""
READ_SAVED = """async (name) => {
  const handle = await (await navigator.storage.getDirectory()).getFileHandle(name);
  const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""


@pytest.fixture
def stack(tmp_path: Path, models_dir: Path) -> Iterator[LocalStack]:
    """One for each test: the API goes on asking for keys for a while when there are none any more."""
    environment = {**os.environ, "SPADE_MODELS_DIR": str(models_dir), "SPADE_DEVICE": "cpu"}
    with running(LocalStack(tmp_path, environment=environment, report=lambda _: None)) as stack:
        yield stack


def generate(studio: StudioPage) -> None:
    studio.page.keyboard.press("Control+Enter")


def key_dialog(studio: StudioPage) -> Locator:
    """The dialog that asks for a key. Processes of the API notice the first key one after the other."""
    dialog = studio.page.get_by_role("dialog", name="API key")

    def is_refused() -> bool:
        with studio.page.expect_response("**/v1/jobs") as answer:
            generate(studio)
        return answer.value.status == HTTPStatus.UNAUTHORIZED

    wait_until(is_refused, "the API asks for a key")
    expect(dialog).to_be_visible()
    return dialog


def give(dialog: Locator, key: str) -> None:
    dialog.get_by_role("textbox").fill(key)
    dialog.get_by_role("button", name="Use this key").click()


def test_with_keys_it_asks_for_one_and_tells_when_it_is_used_too_often(
    browser: Browser, stack: LocalStack, objects: ObjectStore
) -> None:
    with open_studio(browser, stack.url) as studio:
        key = make_key(objects, rate=Rate.parse("10/min"))
        give(key_dialog(studio), key.text)
        studio.expect_picture()
        refused = studio.page.locator("#status", has_text="Too many requests in a short time. Trying again in")
        wait_until(lambda: generate(studio) or refused.count(), "a request is refused")
        studio.expect_picture()
        assert key.text not in studio.page.content()


def test_what_can_be_no_key_is_refused_and_what_was_given_up_is_not_kept(
    browser: Browser, stack: LocalStack, objects: ObjectStore
) -> None:
    with open_studio(browser, stack.url) as studio:
        make_key(objects)
        dialog = key_dialog(studio)
        give(dialog, "schlüssel")
        expect(dialog).to_be_visible()
        dialog.get_by_role("textbox").fill("spade_given_up")
        sent: list[str] = []
        studio.page.on("request", lambda request: sent.append(request.url))
        studio.page.evaluate("live.checked = true")
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_be_hidden()
        expect(studio.page.get_by_role("switch", name="Live")).not_to_be_checked()
        expect(studio.page.locator("#status")).to_have_text("The service asks for an API key.")
        assert studio.page.evaluate("sessionStorage.length") == 0
        assert sent == []


def test_a_full_store_is_told_in_words_and_no_other_key_is_asked_for(
    browser: Browser, stack: LocalStack, objects: ObjectStore
) -> None:
    with open_studio(browser, stack.url) as studio:
        key = make_key(objects, storage_bytes=1)
        dialog = key_dialog(studio)
        with studio.page.expect_response("**/v1/jobs"):
            give(dialog, key.text)

        def is_refused() -> bool:
            with studio.page.expect_response("**/v1/jobs") as answer:
                generate(studio)
            return answer.value.status == HTTPStatus.FORBIDDEN

        wait_until(is_refused, "the store is full")
        expect(studio.page.locator("#status")).to_contain_text("The storage that this key may use is full.")
        expect(dialog).to_be_hidden()


def test_the_archive_of_a_batch_is_fetched_with_the_key_to_disk_or_else_to_memory(
    browser: Browser, stack: LocalStack, objects: ObjectStore
) -> None:
    with open_studio(browser, stack.url) as studio:
        key = make_key(objects)
        give(key_dialog(studio), key.text)
        studio.expect_picture()
        batch = BatchDialog(studio)
        batch.choose(MAPS)
        batch.send()
        batch.expect_end()
        studio.page.evaluate("() => { window.showSaveFilePicker = undefined; }")
        held = batch.downloaded()
        assert len(held) == len(MAPS) + 1
        expect(batch.status).to_have_text("Downloaded.")
        studio.page.evaluate(THINK_BETTER_OF_IT)
        batch.button("Download all").click()
        expect(batch.status).to_be_empty()
        job = studio.page.evaluate("localStorage.getItem('spade-studio-batch')")
        studio.page.evaluate(SAVE_INTO_THE_PAGES_OWN_FILES)
        batch.button("Download all").click()
        expect(batch.status).to_have_text("Downloaded.")
        assert read_zip(base64.b64decode(studio.page.evaluate(READ_SAVED, f"{job}.zip"))) == held
