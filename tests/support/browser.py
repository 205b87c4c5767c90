"""Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

MOST_MILLISECONDS = 30_000
"""How long a page may take to be as expected, on a machine that does much else."""


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium; the test is skipped where there is none."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("this machine has no Chromium; on Debian: apt-get install chromium")
    expect.set_options(timeout=MOST_MILLISECONDS)
    with sync_playwright() as playwright:
        # As root Chromium runs only without its sandbox; it sees pages of this machine only.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(
    browser: Browser, *, width: int = 1440, height: int = 900, color_scheme: str = "light", locale: str = "en-GB"
) -> Iterator[tuple[Page, list[str]]]:
    """A page of its own, and what goes wrong on it: errors of scripts and what the browser complains of."""
    wrong: list[str] = []
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=color_scheme, locale=locale, has_touch=width < 600
    )
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    try:
        yield page, wrong
    finally:
        context.close()


@contextmanager
def open_page(*, width: int = 1440, height: int = 900, color_scheme: str = "light") -> Iterator[tuple[Page, list[str]]]:
    """As `page_of`, in a browser of its own."""
    with (
        open_browser() as browser,
        page_of(browser, width=width, height=height, color_scheme=color_scheme) as (page, wrong),
    ):
        yield page, wrong
