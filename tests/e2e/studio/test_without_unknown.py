"""A model that wants a class for every pixel: nothing unknown gets into its maps, wherever it would come from."""

import base64
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from deploy.local.stack import LocalStack, running
from support.label_maps import png
from support.models import add_small_model
from support.studio import UNKNOWN, StudioPage, newest_job, rgb_png

CLASSES = ("sea", "sky", "grass", "tree", "road")
SEA, SKY, GRASS, TREE, ROAD = range(5)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[LocalStack]:
    """A service with such a model, `plain`."""
    add_small_model(models_dir, "plain", classes=CLASSES, dont_care=False)
    settings = {"SPADE_MODELS_DIR": str(models_dir), "SPADE_DEVICE": "cpu", "SPADE_WORKER_MODELS": "plain"}
    folder = tmp_path_factory.mktemp("plain")
    with running(LocalStack(folder, environment={**os.environ, **settings}, report=lambda _: None)) as stack:
        yield stack
    shutil.rmtree(models_dir / "plain")


def plain(studio: StudioPage) -> None:
    studio.page.locator("#model").select_option("plain")
    expect(studio.page.locator("#map-size")).to_have_text("64 × 64")


def saved(studio: StudioPage) -> np.ndarray:
    with Image.open(io.BytesIO(studio.saved_map())) as picture:
        return np.asarray(picture)


def test_a_map_of_another_model_loses_what_is_unknown_in_it(studio: StudioPage) -> None:
    studio.new_map(fill="unknown")
    studio.material("grass")
    studio.tool("Rectangle")
    studio.drag((0, 0), (255, 127))
    studio.layer("Objects")
    studio.material("snow")
    studio.drag((0, 192), (127, 255))
    plain(studio)
    labels = saved(studio)
    assert (labels[:32] == GRASS).all()
    assert (labels[32:] == SEA).all()
    studio.page.keyboard.press("Control+z")
    assert (saved(studio)[128:192] == UNKNOWN).all()


def test_a_map_of_its_first_class_is_taken_over_and_one_that_it_knows_nothing_of_is_not(studio: StudioPage) -> None:
    studio.new_map(fill="sea")
    plain(studio)
    assert (saved(studio) == SEA).all()
    studio.page.keyboard.press("Control+z")
    studio.menu("lake")
    studio.page.locator("#model").select_option("landscape")
    assert len(np.unique(saved(studio))) > 2


def test_the_eraser_and_the_last_material_are_classes(studio: StudioPage) -> None:
    plain(studio)
    studio.new_map(fill="sky")
    studio.tool("Eraser")
    studio.brush_size(10)
    studio.click((32, 32))
    assert set(saved(studio).flat) == {SEA, SKY}
    studio.page.keyboard.press("x")
    studio.tool("Rectangle")
    studio.drag((0, 0), (63, 10))
    assert UNKNOWN not in saved(studio)


def test_colours_that_it_has_no_class_for_become_its_first_and_that_is_told(studio: StudioPage) -> None:
    plain(studio)
    grass, bridge, clear = 0x7BC800, 0x5E5BC5, 0
    studio.open_file("painted.png", rgb_png(np.array([[grass, bridge, clear]])))
    expect(studio.page.locator("#notice")).to_contain_text("2 pixels")
    expect(studio.page.locator("#notice")).to_contain_text("they are sea now")
    assert saved(studio).tolist() == [[GRASS, SEA, SEA]]


def test_ids_that_are_unknown_are_refused_in_words(studio: StudioPage) -> None:
    plain(studio)
    before = saved(studio)
    words = "has pixels of no material, and this model wants one everywhere"
    studio.open_file("ids.png", png(np.array([[TREE, UNKNOWN]])))
    expect(studio.page.locator("#notice")).to_contain_text(words)
    with studio.page.expect_download() as download:
        studio.menu("Save project")
    project = json.loads(Path(download.value.path()).read_bytes())
    background = base64.b64encode(png(np.full((4, 4), UNKNOWN))).decode()
    objects = base64.b64encode(png(np.zeros((4, 4)), depth=16)).decode()
    studio.open_file("mine.json", json.dumps({**project, "background": background, "objects": objects}).encode())
    expect(studio.page.locator("#notice")).to_contain_text(words)
    assert np.array_equal(saved(studio), before)


def test_its_pictures_are_made(studio: StudioPage, stack: LocalStack) -> None:
    studio.new_map(fill="unknown")
    studio.material("road")
    studio.drag((20, 20), (200, 200))
    plain(studio)
    assert set(saved(studio).flat) == {SEA, ROAD}
    studio.page.get_by_role("button", name="Generate").click()
    studio.expect_picture()
    assert newest_job(stack)["model"]["name"] == "plain"
