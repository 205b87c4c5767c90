"""The batch dialog of the studio, used as a person does; and label maps to send with it."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from playwright.sync_api import Locator, expect

from deploy.local.stack import LocalStack
from support.label_maps import png
from support.studio import StudioPage, newest_job, sleeping_worker

MAPS = {f"scenes/{number:02}.png": png(np.full((8, 12), number % 13)) for number in range(3)}


def zipped(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of files by path."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files by path below a folder."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


class BatchDialog:
    """The dialog, open."""

    def __init__(self, studio: StudioPage) -> None:
        self.page = studio.page
        self.dialog = studio.page.locator("#batch-dialog")
        self.status = self.dialog.locator("#batch-status")
        if not self.dialog.is_visible():
            studio.page.locator("header").get_by_role("button", name="Batch").click()

    def button(self, name: str) -> Locator:
        return self.dialog.get_by_role("button", name=name)

    def choose(self, files: Mapping[str, bytes]) -> None:
        """By the button for files."""
        payloads = [{"name": name, "mimeType": "", "buffer": content} for name, content in files.items()]
        self.page.locator("#batch-files-input").set_input_files(payloads)
        expect(self.dialog.locator("#batch-found")).to_contain_text("abel map")

    def choose_folder(self, folder: Path) -> None:
        self.page.locator("#batch-folder-input").set_input_files(folder)

    def rows(self) -> dict[str, str]:
        """What is said of each file, by path, in the order of the list."""
        return dict(row.split("\n") for row in self.dialog.locator("#batch-list li").all_inner_texts())

    def send(self) -> None:
        self.button("Make the pictures").click()

    def expect_end(self, words: str = "All pictures are made.") -> None:
        expect(self.status).to_have_text(words, timeout=60_000)

    def downloaded(self) -> dict[str, bytes]:
        """Files of the archive by name."""
        with self.page.expect_download() as download:
            self.button("Download all").click()
        return read_zip(Path(download.value.path()).read_bytes())


def canceled_before_it_is_made(batch: BatchDialog, stack: LocalStack) -> str:
    """The id of the job, of a model that would take long."""
    with sleeping_worker(stack):
        batch.send()
        expect(batch.dialog).to_contain_text("Made: 0 of")
        batch.button("Cancel the job").click()
        expect(batch.button("New batch")).to_be_visible()
    job: str = newest_job(stack)["id"]
    return job


def read_zip(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def manifest(archive: Mapping[str, bytes]) -> list[dict[str, object]]:
    items: list[dict[str, object]] = json.loads(archive["manifest.json"])["items"]
    return items
