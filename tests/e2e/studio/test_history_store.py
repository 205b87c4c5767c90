"""What the history holds: not too much, nothing that is cleared, and what is damaged is told."""

import pytest
from playwright.sync_api import Browser, expect

from deploy.local.stack import LocalStack
from support.history import begin_with_grass, entries, generate, in_store, seed
from support.studio import StudioPage, open_studio

MOST_PICTURES = 50
MOST_BYTES = 48 * 2**20


@pytest.fixture
def studio(studio: StudioPage) -> StudioPage:
    begin_with_grass(studio)
    return studio


def copy_kept(studio: StudioPage, times: int, picture_bytes: int) -> None:
    """Fill the store with older copies of the one picture that is kept, of other seeds, and come back to the page."""
    body = """
      const [kept] = await asked((await store("readonly")).getAll());
      const pictures = await store("readwrite");
      await asked(pictures.clear());
      const picture = new Blob([new Uint8Array(argument.bytes)]);
      for (let copy = 0; copy < argument.times; copy++) {
        await asked(pictures.add({ ...kept, id: copy + 1, seed: copy, ...(argument.bytes ? { picture } : {}) }));
      }"""
    in_store(studio.page, body, {"times": times, "bytes": picture_bytes})
    studio.reload()
    expect(entries(studio)).to_have_count(times)


def kept_seeds(studio: StudioPage) -> object:
    """The newest first."""
    return in_store(
        studio.page, "return (await asked((await store('readonly')).getAll())).map(({ seed }) => seed).reverse()"
    )


def test_the_oldest_of_too_many_are_dropped(studio: StudioPage) -> None:
    generate(studio, kept=1)
    copy_kept(studio, MOST_PICTURES, 0)
    seed(studio).fill("1000")
    generate(studio, kept=MOST_PICTURES)
    assert kept_seeds(studio) == [1000, *range(MOST_PICTURES - 1, 0, -1)]


def test_the_oldest_of_too_large_ones_are_dropped(studio: StudioPage) -> None:
    generate(studio, kept=1)
    copy_kept(studio, 5, MOST_BYTES // 4)
    seed(studio).fill("1000")
    generate(studio, kept=4)
    assert kept_seeds(studio) == [1000, 4, 3, 2]


def test_the_history_is_cleared_when_the_person_is_sure(studio: StudioPage) -> None:
    drawn, _ = studio.labels(), generate(studio, kept=1)
    clear = studio.page.get_by_role("button", name="Clear history")
    dialog = studio.page.get_by_role("dialog", name="Forget all pictures?")
    clear.press("Enter")
    expect(dialog).to_be_visible()
    studio.page.keyboard.press("Enter")  # on what has the focus, which is not what forgets
    expect(dialog).to_be_hidden()
    expect(entries(studio)).to_have_count(1)
    clear.click()
    dialog.get_by_role("button", name="Forget them").click()
    expect(entries(studio)).to_have_count(0)
    expect(clear).to_be_disabled()
    studio.expect_labels(drawn)
    studio.reload()
    expect(entries(studio)).to_have_count(0)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("kept.background = kept.background.slice(0, 60)", "The picture is damaged."),
        ("kept.model = 'gone'", "The picture is for the model gone, which this service lacks."),
    ],
)
def test_what_cannot_be_brought_back_is_told_in_words(studio: StudioPage, fault: str, words: str) -> None:
    generate(studio, kept=1)
    in_store(
        studio.page,
        f"""const pictures = await store("readwrite");
        const [kept] = await asked(pictures.getAll());
        {fault};
        await asked(pictures.put(kept));""",
    )
    studio.reload()
    drawn = studio.labels()
    entries(studio).first.click()
    expect(studio.page.locator("#notice")).to_have_text(words)
    studio.expect_labels(drawn)


def test_a_browser_that_keeps_nothing_makes_pictures_all_the_same(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        studio.page.add_init_script("Object.defineProperty(window, 'indexedDB', { value: undefined })")
        studio.open(stack.url)
        studio.page.get_by_role("button", name="Generate").click()
        studio.expect_picture()
        expect(entries(studio)).to_have_count(0)
        assert studio.wrong == []
