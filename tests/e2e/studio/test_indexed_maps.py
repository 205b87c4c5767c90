"""Indexed PNGs: some programs put their colours into another order. Editor and batch read them alike, and tell."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from deploy.local.stack import LocalStack
from spade.palettes import GAUGAN_COLORS
from support.batches import BatchDialog, canceled_before_it_is_made
from support.label_maps import INDEXED, plte, png
from support.studio import CARD, UNKNOWN, StudioPage, class_id, rgb_png
from workers.messages import label_map_key
from workers.storage import ObjectStore

COLORS = {label_class.name: label_class.rgb for label_class in CARD.classes}
SKETCH = {"tree": 0x352613, "sky": 0x759EDF}
STRANGE = plte(0x112233, 0x445566, 0x778899)
INDICES = np.array([[0, 1, 2, 2]])


def reordered(colors: dict[str, int], *names: str) -> bytes:
    """A map of the materials in this order, whose indices are not their ids; black, which is unknown, comes last."""
    indices = np.arange(len(names) + 1)[None]
    return png(indices, color_type=INDEXED, before_data=plte(*(colors[name] for name in names), 0))


def read_by(batch: BatchDialog) -> Locator:
    return batch.dialog.get_by_label("Read by")


def stored(objects: ObjectStore, job: str, place: int) -> list[int]:
    """The ids of a map of one row, as workers get it."""
    with Image.open(io.BytesIO(objects.get(label_map_key(job, place)))) as picture:
        middle = np.asarray(picture)[picture.height // 2]
    return [int(value) for place, value in enumerate(middle) if place == 0 or value != middle[place - 1]]


@pytest.mark.parametrize(
    ("colors", "first", "value"),
    [(COLORS, "tree", "model"), (GAUGAN_COLORS, "bush", "gaugan"), (SKETCH, "tree", "smart-sketch")],
)
def test_a_map_whose_colours_are_in_another_order_is_read_by_them(
    studio: StudioPage, stack: LocalStack, objects: ObjectStore, colors: dict[str, int], first: str, value: str
) -> None:
    content = reordered(colors, first, "sky")
    ids = [class_id("tree"), class_id("sky")]
    studio.open_file("reordered.png", content)
    assert studio.labels().tolist() == [[*ids, UNKNOWN]]
    batch = BatchDialog(studio)
    batch.choose({"reordered.png": content})
    expect(read_by(batch)).to_have_value(value)
    assert stored(objects, canceled_before_it_is_made(batch, stack), 0) == [*ids, CARD.unknown_id]


def test_a_map_of_a_strangers_colours_is_read_by_its_indices(
    studio: StudioPage, stack: LocalStack, objects: ObjectStore
) -> None:
    content = png(INDICES, color_type=INDEXED, before_data=STRANGE)
    studio.open_file("strange.png", content)
    studio.expect_labels(INDICES)
    batch = BatchDialog(studio)
    batch.choose({"strange.png": content})
    expect(read_by(batch)).to_have_value("")
    assert stored(objects, canceled_before_it_is_made(batch, stack), 0) == [0, 1, 2]


def test_a_map_that_is_too_large_for_the_editor_is_read_by_its_colours_too(studio: StudioPage) -> None:
    colors = plte(COLORS["tree"], COLORS["sky"])
    batch = BatchDialog(studio)
    batch.choose({"wide.png": png(np.arange(3000)[None] % 2, color_type=INDEXED, before_data=colors)})
    expect(read_by(batch)).to_have_value("model")


def test_black_alone_is_a_strangers_colour(studio: StudioPage) -> None:
    studio.open_file("black.png", png(np.ones((3, 3)), color_type=INDEXED, before_data=plte(0x112233, 0)))
    assert (studio.labels() == 1).all()


def test_the_person_may_have_the_indices_all_the_same(
    studio: StudioPage, stack: LocalStack, objects: ObjectStore
) -> None:
    batch = BatchDialog(studio)
    batch.choose({"reordered.png": reordered(COLORS, "grass", "sky"), "wrong.png": png(np.full((1, 1), 77))})
    read_by(batch).select_option("values, as ids")
    batch.send()
    expect(batch.status).to_contain_text("Nothing was sent")
    studio.wrong.clear()  # the browser tells of the 422
    assert stored(objects, canceled_before_it_is_made(batch, stack), 0) == [0, 1, 2]


def test_the_person_may_have_the_colours_all_the_same(studio: StudioPage) -> None:
    batch = BatchDialog(studio)
    batch.choose({"strange.png": png(INDICES, color_type=INDEXED, before_data=STRANGE)})
    read_by(batch).select_option("the model's colours")
    batch.send()
    expect(batch.status).to_contain_text("Nothing was sent")
    assert "#112233" in batch.rows()["strange.png"]
    studio.wrong.clear()  # the browser tells of the 422


def test_maps_that_the_studio_saved_are_read_by_their_indices_beside_others(
    studio: StudioPage, stack: LocalStack, objects: ObjectStore
) -> None:
    studio.open_file("mine.png", png(np.array([[0, 5, UNKNOWN]])))
    saved = studio.saved_map()
    batch = BatchDialog(studio)
    batch.choose({"saved.png": saved})
    expect(read_by(batch)).to_have_value("")
    beside = {
        "a.png": saved,
        "b.png": png(INDICES, color_type=INDEXED, before_data=STRANGE),
        "c.png": rgb_png(np.array([[GAUGAN_COLORS["bush"], GAUGAN_COLORS["sky"]]])),
    }
    batch.choose(beside)
    expect(read_by(batch)).to_have_value("gaugan")
    job = canceled_before_it_is_made(batch, stack)
    assert [stored(objects, job, place) for place in range(len(beside))] == [
        [0, 5, CARD.unknown_id],
        [0, 1, 2],
        [class_id("tree"), class_id("sky")],
    ]


def test_a_map_of_another_painter_than_the_others_is_refused_and_not_read_wrongly(studio: StudioPage) -> None:
    batch = BatchDialog(studio)
    batch.choose({"a.png": reordered(COLORS, "grass", "sky"), "b.png": reordered(SKETCH, "tree", "sky")})
    expect(read_by(batch)).to_have_value("model")
    batch.send()
    expect(batch.status).to_contain_text("Nothing was sent")
    assert next(iter(batch.rows())) == "b.png"
    studio.wrong.clear()  # the browser tells of the 422
