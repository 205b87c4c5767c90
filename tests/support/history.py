"""The strip of the last pictures in the studio."""

import re

from playwright.sync_api import Locator, expect

from support.studio import StudioPage


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


def generate(studio: StudioPage, *, kept: int) -> None:
    """Make a picture; so many are kept then. Where as many were before, `expect_newest` waits until this one is."""
    with studio.page.expect_response("**/image?proxy=1"):
        studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()
    expect(entries(studio)).to_have_count(kept)


def expect_newest(studio: StudioPage, *, seed: int) -> None:
    """Until the picture of the seed is kept, and comes first in the strip."""
    expect(entries(studio).first).to_have_accessible_name(re.compile(f", Seed {seed}, "))
