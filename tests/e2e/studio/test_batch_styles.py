"""A batch takes the style of the map at work too: a blend of two presets, or a picture, for all of its maps."""

import hashlib

import numpy as np
from playwright.sync_api import Locator, expect

from deploy.local.stack import LocalStack
from spade.pictures import encode_picture
from spade.style_pictures import read_style_picture
from support.batches import MAPS, BatchDialog
from support.studio import StudioPage, newest_job, rgb_png

BLEND = "30 % day, 70 % night"


def blend(studio: StudioPage) -> None:
    studio.page.get_by_role("radio", name="day", exact=True).check()
    studio.page.get_by_label("Style to blend with").select_option("night")
    studio.page.get_by_role("slider", name="Blend of two styles").fill("70")


def style_of(batch: BatchDialog) -> Locator:
    return batch.dialog.get_by_label("Style")


def shown(batch: BatchDialog) -> str:
    words: str = style_of(batch).evaluate("(select) => select.selectedOptions[0].textContent")
    return words


def test_a_blend_is_the_style_of_all_maps(studio: StudioPage, stack: LocalStack) -> None:
    blend(studio)
    batch = BatchDialog(studio)
    batch.choose(MAPS)
    assert shown(batch) == BLEND
    expect(batch.dialog.get_by_label("Seed")).to_be_disabled()
    batch.send()
    batch.expect_end()
    job = newest_job(stack)
    assert (job["style"], job["counts"]["total"]) == ({"blend": ["day", "night"], "weight": 0.7}, len(MAPS))


def test_a_picture_is_the_style_of_all_maps(studio: StudioPage, stack: LocalStack) -> None:
    picture = rgb_png(np.full((64, 64), 0x804020))
    with studio.page.expect_file_chooser() as chooser:
        studio.page.get_by_role("button", name="Style from a picture").click()
    chooser.value.set_files([{"name": "dusk.png", "mimeType": "image/png", "buffer": picture}])
    expect(studio.page.get_by_role("radio", name="Picture", exact=True)).to_be_checked()
    batch = BatchDialog(studio)
    batch.choose(MAPS)
    assert shown(batch) == "dusk.png"
    batch.send()
    batch.expect_end()
    digest = hashlib.sha256(encode_picture(read_style_picture(picture))).hexdigest()
    assert newest_job(stack)["style"] == {"image_sha256": digest}


def test_what_becomes_of_the_style_while_the_dialog_is_closed_is_offered(studio: StudioPage) -> None:
    batch = BatchDialog(studio)
    batch.choose(MAPS)
    style_of(batch).select_option("fog")
    studio.page.keyboard.press("Escape")
    blend(studio)
    batch = BatchDialog(studio)
    assert shown(batch) == "fog"
    style_of(batch).select_option(BLEND)
    studio.page.keyboard.press("Escape")
    studio.page.get_by_role("slider", name="Blend of two styles").fill("50")
    assert shown(BatchDialog(studio)) == "50 % day, 50 % night"


def test_a_model_without_the_styles_is_offered_no_blend_of_them(studio: StudioPage) -> None:
    blend(studio)
    batch = BatchDialog(studio)
    batch.choose(MAPS)
    batch.dialog.get_by_label("Model", exact=True).select_option("street")
    assert shown(batch) == "By seed"
    assert BLEND not in style_of(batch).locator("option").all_inner_texts()
    batch.dialog.get_by_label("Model", exact=True).select_option("landscape")
    style_of(batch).select_option(BLEND)
