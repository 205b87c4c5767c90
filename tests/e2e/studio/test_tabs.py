"""Several tabs of one browser, each with its own work."""

from playwright.sync_api import Browser, Page, expect

from deploy.local.stack import LocalStack
from support.batches import MAPS, BatchDialog
from support.studio import StudioPage, open_studio


def another_tab(studio: StudioPage, url: str) -> StudioPage:
    page: Page = studio.page.context.new_page()
    other = StudioPage(page, studio.wrong)
    other.open(url)
    return other


def test_a_reload_brings_back_what_was_painted_in_this_tab(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        studio.new_map(fill="snow")
        studio.material("road")
        studio.drag((20, 20), (100, 100))
        mine = studio.labels()
        other = another_tab(studio, stack.url)
        other.expect_labels(mine)  # a new tab goes on with what was painted last
        other.new_map(fill="sea")
        theirs = other.labels()
        studio.reload()
        studio.expect_labels(mine)
        other.reload()
        other.expect_labels(theirs)
        newest = another_tab(studio, stack.url)
        newest.expect_labels(theirs)


def test_a_tab_follows_its_own_batch(browser: Browser, stack: LocalStack) -> None:
    with open_studio(browser, stack.url) as studio:
        expected = []
        for count in (3, 1):
            tab = another_tab(studio, stack.url)
            batch = BatchDialog(tab)
            if expected:
                batch.button("New batch").click()  # a new tab goes on with what was followed last
            batch.choose({f"{number}.png": content for number, content in enumerate([*MAPS.values()][:count])})
            batch.send()
            batch.expect_end()
            expected.append((tab, f"Made: {count} of {count}"))
        for tab, words in expected:
            tab.reload()
            expect(BatchDialog(tab).dialog).to_contain_text(words)
