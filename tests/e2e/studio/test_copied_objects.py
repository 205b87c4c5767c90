"""Objects that are copied are objects of their own: two cars stay two, for the model too."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from support.label_maps import png
from support.studio import StudioPage

MOST_OBJECTS = 255


@pytest.fixture
def studio(studio: StudioPage) -> StudioPage:
    """Two trees side by side as objects, 1 and 2, both selected."""
    studio.new_map(fill="sky")
    studio.layer("Objects")
    studio.material("tree")
    studio.tool("Rectangle")
    studio.drag((10, 10), (19, 19))
    studio.drag((30, 10), (39, 19))
    studio.tool("Select")
    studio.drag((5, 5), (44, 24))
    return studio


def project(studio: StudioPage) -> dict[str, object]:
    with studio.page.expect_download() as download:
        studio.menu("Save project")
    content: dict[str, object] = json.loads(Path(download.value.path()).read_bytes())
    return content


def objects(studio: StudioPage) -> np.ndarray:
    """Numbers of objects, 0 where there is none."""
    layer = base64.b64decode(str(project(studio)["objects"]))
    with Image.open(io.BytesIO(layer)) as picture:
        return np.asarray(picture).astype(int) >> 8


def test_what_is_pasted_has_numbers_of_its_own_each_time(studio: StudioPage) -> None:
    before = objects(studio)
    assert (before[15, 15], before[15, 35]) == (1, 2)
    studio.page.keyboard.press("Control+c")
    studio.page.keyboard.press("Control+v")
    pasted = objects(studio)
    assert {int(number): int((pasted == number).sum()) for number in np.unique(pasted)[1:]} == dict.fromkeys(
        (1, 2, 3, 4), 100
    )
    studio.drag((128, 128), (128, 178))  # what was pasted is selected, and keeps its numbers where it is moved
    assert set(objects(studio).flat) == {0, 1, 2, 3, 4}
    studio.page.keyboard.press("Control+v")
    assert set(objects(studio).flat) == {0, 1, 2, 3, 4, 5, 6}
    for _ in range(3):
        studio.page.keyboard.press("Control+z")
    assert np.array_equal(objects(studio), before)
    studio.page.keyboard.press("Control+y")
    assert np.array_equal(objects(studio), pasted)


def test_a_copy_that_is_left_behind_has_numbers_of_its_own(studio: StudioPage) -> None:
    studio.page.get_by_role("checkbox", name="Leave a copy").check()
    studio.drag((15, 15), (15, 60), (15, 115))
    copied = objects(studio)
    assert (copied[15, 15], copied[15, 35]) == (1, 2)
    assert (copied[115, 15], copied[115, 35]) == (3, 4)
    assert set(copied.flat) == {0, 1, 2, 3, 4}


def test_what_is_moved_keeps_its_numbers(studio: StudioPage) -> None:
    studio.drag((15, 15), (15, 115))
    moved = objects(studio)
    assert (moved[115, 15], moved[115, 35]) == (1, 2)
    assert set(moved.flat) == {0, 1, 2}


@pytest.mark.parametrize("free", [1, 2])
def test_where_too_few_numbers_are_left_nothing_is_pasted_and_that_is_told(studio: StudioPage, free: int) -> None:
    numbers = np.zeros((256, 256), int)
    numbers.flat[: MOST_OBJECTS - free] = (np.arange(MOST_OBJECTS - free) + 1) << 8
    layer = base64.b64encode(png(numbers, depth=16)).decode()
    studio.open_file("full.json", json.dumps({**project(studio), "objects": layer}).encode())
    studio.drag((0, 0), (1, 0))
    before = objects(studio)
    studio.page.keyboard.press("Control+c")
    studio.page.keyboard.press("Control+v")
    notice = studio.page.locator("#notice")
    if free == 1:
        expect(notice).to_contain_text("A map has at most 255 objects")
        assert np.array_equal(objects(studio), before)
    else:
        assert set(objects(studio).flat) == set(range(MOST_OBJECTS + 1))
