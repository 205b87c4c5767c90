"""The strip of the last pictures in the studio."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, expect

from support.studio import StudioPage
from support.waiting import wait_until

OPEN_STORE = """const store = (mode) => new Promise((resolve) => {
  const opening = indexedDB.open("spade-studio");
  opening.onsuccess = () => resolve(opening.result.transaction("pictures", mode).objectStore("pictures"));
});
const asked = (request) => new Promise((resolve) => { request.onsuccess = () => resolve(request.result); });
"""


def begin_with_grass(studio: StudioPage) -> None:
    """A map of sky and grass, its seed 7, without a picture."""
    studio.new_map(fill="sky")
    studio.material("grass")
    studio.drag((30, 200), (220, 180))
    seed(studio).fill("7")


def seed(studio: StudioPage) -> Locator:
    return studio.page.locator("#seed")


def entries(studio: StudioPage) -> Locator:
    return studio.page.get_by_role("region", name="History").get_by_role("listitem").get_by_role("button")


def in_store(page: Page, body: str, argument: object = None) -> object:
    """What a function of the kept pictures' store gives; `asked` waits for a request."""
    return page.evaluate(f"async (argument) => {{ {OPEN_STORE} {body} }}", argument)


@contextmanager
def keeps_another(studio: StudioPage, *, kept: int) -> Iterator[None]:
    """Until the picture that the body makes is kept; so many are then, perhaps as many as before."""
    newest = "return (await asked((await store('readonly')).getAllKeys())).at(-1) ?? 0"
    before = in_store(studio.page, newest)
    with studio.page.expect_response("**/image?proxy=1"):
        yield
    wait_until(lambda: in_store(studio.page, newest) != before, "another picture is kept")
    expect(entries(studio)).to_have_count(kept)


def generate(studio: StudioPage, *, kept: int) -> None:
    """Make a picture; so many are kept then."""
    with keeps_another(studio, kept=kept):
        studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()
