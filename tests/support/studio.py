"""The studio in a browser, used as a person does: in pixels of the label map, by the names that are shown."""

import base64
import io
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from deploy.local.services import Worker
from deploy.local.stack import LocalStack
from model_store.registry import Registry
from spade.label_images import decode_label_map
from support.browser import page_of
from support.waiting import wait_until

UNKNOWN = 255
CARD = Registry(None).card("landscape")
COLORS = {label_class.rgb: label_class.id for label_class in CARD.classes}
READ_CANVAS = """() => {
  const canvas = document.getElementById("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return [canvas.width, canvas.height, btoa(text)];
}"""

Pixel = tuple[int, int]


class StudioPage:
    """A page of the studio. `wrong` is what the browser complained of."""

    def __init__(self, page: Page, wrong: list[str]) -> None:
        self.page = page
        self.wrong = wrong

    def open(self, url: str) -> None:
        self.page.goto(f"{url}/studio")
        self._expect_ready()

    def reload(self) -> None:
        self.page.reload()
        self._expect_ready()

    def _expect_ready(self) -> None:
        expect(self.page.locator("body.ready")).to_be_attached()

    def new_map(self, *, fill: str = "unknown", size: str | None = None) -> None:
        """A map of one material, the model's own size unless said."""
        self.menu("New map…")
        if size is not None:
            self.page.locator("#new-size").select_option(size)
        self.page.get_by_label("Filled with").select_option(fill)
        # The map is there when the page has heard that the dialog is closed, which is after the click.
        self.page.evaluate(
            """() => {
              const dialog = document.getElementById("new-dialog");
              window.closed_ = new Promise((done) => dialog.addEventListener("close", () => done(), { once: true }));
            }"""
        )
        self.page.get_by_role("button", name="Create").click()
        self.page.evaluate("() => window.closed_")

    def menu(self, entry: str) -> None:
        self.page.get_by_role("button", name="File").click()
        self.page.get_by_role("button", name=entry, exact=True).click()

    def live(self, on: bool) -> None:
        self.page.get_by_role("switch", name="Live").set_checked(on)

    def tool(self, name: str) -> None:
        self.page.get_by_role("toolbar").get_by_role("button", name=name).click()

    def material(self, name: str) -> None:
        self.page.locator("#palette-list").get_by_role("button", name=name, exact=True).click()

    def brush_size(self, size: int) -> None:
        self.page.locator("#size").fill(str(size))

    def layer(self, name: str) -> None:
        self.page.get_by_role("radio", name=name).check()

    def click(self, pixel: Pixel) -> None:
        self.page.mouse.click(*self.place(pixel))

    def drag(self, *pixels: Pixel) -> None:
        """Down at the first, through the others, up at the last."""
        self.page.mouse.move(*self.place(pixels[0]))
        self.page.mouse.down()
        for pixel in pixels[1:]:
            self.page.mouse.move(*self.place(pixel))
        self.page.mouse.up()

    def place(self, pixel: Pixel) -> tuple[float, float]:
        """The middle of a pixel of the map, in the window."""
        box = self.page.locator("#sheet").bounding_box()
        assert box is not None
        width, height = self.page.evaluate("[canvas.width, canvas.height]")
        x, y = pixel
        return box["x"] + (x + 0.5) * box["width"] / width, box["y"] + (y + 0.5) * box["height"] / height

    def labels(self) -> np.ndarray:
        """The map as it is drawn, as class ids (H, W), from the colours of its pixels; what has no class is unknown."""
        self.page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))")
        width, height, text = self.page.evaluate(READ_CANVAS)
        rgba = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4).astype(int)
        packed = rgba[..., 0] << 16 | rgba[..., 1] << 8 | rgba[..., 2]
        labels = np.full((height, width), UNKNOWN, np.uint8)
        for color, class_id in COLORS.items():
            labels[packed == color] = class_id
        return labels

    def expect_labels(self, expected: np.ndarray) -> None:
        """Until the map is drawn so: much that changes it is read from a file, a store or the service first."""
        wait_until(lambda: np.array_equal(self.labels(), expected), "the map is as expected", seconds=30)

    def saved_map(self) -> bytes:
        with self.page.expect_download() as download:
            self.menu("Save label map")
        return Path(download.value.path()).read_bytes()

    def open_file(self, name: str, content: bytes) -> None:
        kind = "image/png" if name.endswith(".png") else "application/json"
        self.page.locator("#file-input").set_input_files([{"name": name, "mimeType": kind, "buffer": content}])
        expect(self.page.locator("#notice")).to_contain_text(name)

    def drop(self, paths: Iterable[Path]) -> None:
        """Files and folders of this machine onto the page, as from a file manager."""
        session = self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})

    def expect_picture(self, *, seconds: float = 60) -> None:
        expect(self.page.locator("#status")).to_contain_text("Made in", timeout=seconds * 1000)
        expect(self.page.locator("#picture")).to_be_visible()


@contextmanager
def open_studio(
    browser: Browser, url: str, *, live: bool = False, styled: bool = False, **options: object
) -> Iterator[StudioPage]:
    """The studio of a service; it makes pictures by itself only if `live`, and in the first style only if `styled`.

    Somebody who was never there finds both so.
    """
    with page_of(browser, **options) as (page, wrong):
        studio = StudioPage(page, wrong)
        if not live:
            # What a person who switched it off before would find. Pages that are no studio have no such switch.
            page.add_init_script("addEventListener('DOMContentLoaded', () => (window.live ?? {}).checked = false)")
        studio.open(url)
        by_seed = page.locator("#styles").get_by_role("radio").first
        if not styled and by_seed.is_visible():
            by_seed.check()
        yield studio


def damage_sent_jpegs(page: Page) -> None:
    """What the page takes for a JPEG is none any more where it arrives, and the service refuses it."""

    def damage(route: Route) -> None:
        sent = route.request.post_data_buffer
        assert sent is not None
        route.continue_(post_data=sent.replace(b"\xff\xd8\xff", b"..."))

    page.route("**/v1/jobs", damage)


@contextmanager
def sleeping_worker(stack: LocalStack) -> Iterator[None]:
    """Nothing is made while the body runs."""
    worker = next(child for child in stack.children if isinstance(child.program, Worker))
    assert worker.pid is not None
    os.killpg(worker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(worker.pid, signal.SIGCONT)


def newest_job(stack: LocalStack) -> dict[str, Any]:
    """As the API tells it."""
    job: dict[str, Any] = httpx.get(f"{stack.url}/v1/jobs?limit=1").json()["jobs"][0]
    return job


def state_of(stack: LocalStack, job: str) -> str:
    """A job's, by its id."""
    state: str = httpx.get(f"{stack.url}/v1/jobs/{job}").json()["state"]
    return state


def class_id(name: str) -> int:
    return CARD.class_ids[name]


def read_ids(png: bytes) -> np.ndarray:
    """A label map as the service reads it, unknown as 255."""
    ids = decode_label_map(png, file="map.png", label_nc=CARD.label_nc, unknown_id=CARD.unknown_id)
    ids[ids == CARD.unknown_id] = UNKNOWN
    return ids.astype(np.uint8)


def rgb_png(colors: np.ndarray) -> bytes:
    """An RGB picture of colours 0xRRGGBB (H, W)."""
    rgb = np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=-1).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()
