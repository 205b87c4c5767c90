"""Maps in and out: what is saved is what is drawn, and comes back the same; what is no map is refused in words."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from deploy.examples import example_label_maps
from spade.palettes import GAUGAN_COLORS
from support.label_maps import GREY, INDEXED, plte, png
from support.studio import UNKNOWN, StudioPage, class_id, read_ids, rgb_png

LAKE = next(example.path for example in example_label_maps() if example.path.stem == "lake")
DROP = """([name, content]) => {
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type: "image/png" }));
  return files;
}"""


def notice(studio: StudioPage) -> str:
    return studio.page.locator("#notice").inner_text()


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(1).choice([*range(13), UNKNOWN], (height, width)).astype(np.uint8)


def test_a_saved_map_is_indexed_and_comes_back_the_same_to_the_last_pixel(studio: StudioPage) -> None:
    labels = noise(123, 77)
    studio.open_file("noise.png", png(labels, color_type=GREY))
    studio.expect_labels(labels)
    saved = studio.saved_map()
    with Image.open(io.BytesIO(saved)) as picture:
        assert (picture.mode, picture.size) == ("P", (123, 77))
        assert np.array_equal(np.asarray(picture), labels)
    assert np.array_equal(read_ids(saved), labels)
    studio.new_map(fill="sky")
    studio.open_file("again.png", saved)
    studio.expect_labels(labels)
    assert studio.saved_map() == saved


@pytest.mark.parametrize(
    ("depth", "color_type", "interlaced"), [(1, GREY, False), (4, GREY, True), (16, GREY, False), (4, INDEXED, True)]
)
def test_every_form_of_png_is_read_by_its_values(
    studio: StudioPage, depth: int, color_type: int, interlaced: bool
) -> None:
    labels = noise(19, 11) % (2 if depth == 1 else 13)
    palette = plte(*range(0x010101, 0x010101 + 13)) if color_type == INDEXED else b""
    content = png(labels, depth=depth, color_type=color_type, interlaced=interlaced, before_data=palette)
    studio.open_file("form.png", content)
    studio.expect_labels(labels)


def test_the_filters_of_other_programs_are_undone(studio: StudioPage) -> None:
    studio.open_file("lake.png", LAKE.read_bytes())
    studio.expect_labels(read_ids(LAKE.read_bytes()))
    colors = np.arange(256 * 256).reshape(256, 256) % 2 * (0x9CEEDD - 0x7BC800) + 0x7BC800
    studio.open_file("rgb.png", rgb_png(colors))
    assert np.array_equal(studio.labels() == class_id("sky"), colors == 0x9CEEDD)


def test_an_indexed_map_in_greys_is_read_by_its_indices(studio: StudioPage) -> None:
    greys = plte(*(index * 0x010101 for index in range(256)))
    studio.open_file("zero.png", png(np.zeros((4, 4)), color_type=INDEXED, before_data=greys))
    assert (studio.labels() == 0).all()


def test_what_comes_behind_the_end_of_a_png_is_nothing_to_it(studio: StudioPage) -> None:
    labels = noise(9, 9)
    studio.open_file("tail.png", png(labels) + bytes(100))
    studio.expect_labels(labels)


def test_a_map_in_gaugans_colours_is_read_by_them(studio: StudioPage) -> None:
    names = ["sky", "tree", "sea", "house", "bush"]
    colors = np.array([[GAUGAN_COLORS[name] for name in names]] * 2)
    studio.open_file("gaugan.png", rgb_png(colors))
    tree = class_id("tree")
    assert studio.labels()[0].tolist() == [class_id("sky"), tree, class_id("sea"), UNKNOWN, tree]
    assert "GauGAN" in notice(studio)
    assert "2 pixels" in notice(studio)


def test_a_map_in_smart_sketchs_colours_is_read_by_them(studio: StudioPage) -> None:
    studio.open_file("sketch.png", rgb_png(np.array([[0x759EDF, 0xB7D24E, 0x384F83, 0x987E6A]])))
    assert studio.labels()[0].tolist() == [class_id(name) for name in ("sky", "grass", "sea", "road")]
    assert "smart-sketch" in notice(studio)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xd8\xff\xe0 a JPEG", "is no PNG"),
        (png(np.array([[0, 14, 77]])), "ids that this model lacks: 14, 77"),
        (rgb_png(np.array([[0x9CEEDD, 0x123456]])), "#123456"),
        (LAKE.read_bytes()[:-40], "is damaged"),
        (png(np.zeros((1, 2049))), "is too large"),
        (png(np.zeros((1, 1)), pixel_data=bytes(2**26)), "is damaged"),
    ],
    ids=["jpeg", "ids", "colours", "cut", "large", "bomb"],
)
def test_what_is_no_map_is_refused_in_words_and_changes_nothing(studio: StudioPage, content: bytes, words: str) -> None:
    before = studio.labels()
    studio.open_file("wrong.png", content)
    assert words in notice(studio)
    studio.expect_labels(before)
    expect(studio.page.get_by_role("button", name="Undo")).to_be_disabled()


def test_files_are_dropped_and_pasted(studio: StudioPage) -> None:
    labels = noise(30, 20)
    content = base64.b64encode(png(labels)).decode()
    files = studio.page.evaluate_handle(DROP, ["dropped.png", content])
    studio.page.dispatch_event("body", "dragover", {"dataTransfer": files})
    expect(studio.page.locator("#drop")).to_be_visible()
    studio.page.dispatch_event("body", "drop", {"dataTransfer": files})
    expect(studio.page.locator("#notice")).to_contain_text("dropped.png")
    studio.expect_labels(labels)
    studio.new_map(fill="sky")
    paste = "(files) => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: files }))"
    studio.page.evaluate(paste, files)
    expect(studio.page.locator("#notice")).to_contain_text("pasted")
    studio.expect_labels(labels)


def test_a_project_brings_back_both_layers_seed_and_style(studio: StudioPage) -> None:
    studio.new_map(fill="sky")
    studio.layer("Objects")
    studio.material("tree")
    studio.drag((60, 60), (90, 90))
    studio.page.locator("#seed").fill("4711")
    studio.page.get_by_role("radio", name="sunset").check()
    drawn = studio.labels()
    with studio.page.expect_download() as download:
        studio.menu("Save project")
    content = Path(download.value.path()).read_bytes()
    studio.new_map(fill="grass")
    studio.page.get_by_role("radio", name="By seed").check()
    studio.page.locator("#seed").fill("1")
    studio.open_file("mine.studio.json", content)
    studio.expect_labels(drawn)
    expect(studio.page.locator("#seed")).to_have_value("4711")
    expect(studio.page.get_by_role("radio", name="sunset")).to_be_checked()
    studio.layer("Objects")
    studio.tool("Eraser")
    studio.brush_size(128)
    studio.drag((40, 40), (120, 120))
    assert (studio.labels() == class_id("sky")).all()


def test_a_project_of_a_model_that_is_not_here_is_refused_in_words(studio: StudioPage) -> None:
    studio.open_file("empty.json", b"{}")
    assert "no project" in notice(studio)
    with studio.page.expect_download() as download:
        studio.menu("Save project")
    project = json.loads(Path(download.value.path()).read_bytes())
    studio.open_file("other.json", json.dumps({**project, "model": "other"}).encode())
    assert "for the model other" in notice(studio)


def layer(cells: np.ndarray) -> str:
    return base64.b64encode(png(cells, depth=16)).decode()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "another version"),
        ({"objects": layer(np.zeros((3, 3)))}, "no project"),
        ({"background": layer(np.full((4, 4), 77))}, "ids that this model lacks: 77"),
        ({"objects": layer(np.full((4, 4), 256 + 77))}, "ids that this model lacks: 77"),
        ({"objects": layer(np.full((4, 4), 7))}, "no project"),
        ({"background": layer(np.zeros((1, 2049)))}, "too large"),
        ({"seed": "x"}, "no project"),
    ],
    ids=["version", "sizes", "ids", "ids of objects", "no object", "large", "seed"],
)
def test_a_project_that_cannot_be_right_is_refused_in_words(
    studio: StudioPage, changes: dict[str, object], words: str
) -> None:
    before = studio.labels()
    plain = {"background": layer(np.zeros((4, 4))), "objects": layer(np.zeros((4, 4)))}
    made = {"format": "spade-studio-project", "version": 1, "model": "landscape", "seed": 1, "style": ""}
    studio.open_file("wrong.json", json.dumps({**made, **plain, **changes}).encode())
    assert words in notice(studio)
    studio.expect_labels(before)
    studio.open_file("right.json", json.dumps({**made, **plain}).encode())
    assert studio.labels().shape == (4, 4)


def test_examples_are_opened_and_another_model_takes_over_what_it_knows(studio: StudioPage) -> None:
    studio.menu("beach")
    beach = read_ids(LAKE.with_name("beach.png").read_bytes())
    studio.expect_labels(beach)
    studio.page.locator("#model").select_option("street")
    expect(studio.page.locator("#map-size")).to_have_text("256 × 192")
    expect(studio.page.locator("#palette-list")).to_contain_text("pedestrian")


def test_a_project_is_known_by_the_ending_of_its_name_in_capitals_too(studio: StudioPage) -> None:
    with studio.page.expect_download() as download:
        studio.menu("Save project")
    studio.new_map(fill="sea")
    content = Path(download.value.path()).read_bytes()
    studio.page.locator("#file-input").set_input_files([{"name": "P.JSON", "mimeType": "", "buffer": content}])
    expect(studio.page.locator("#notice")).to_have_text("Opened P.JSON.")


def test_what_is_dropped_on_a_dialog_does_not_change_the_map_behind_it(studio: StudioPage, tmp_path: Path) -> None:
    before = studio.labels()
    (tmp_path / "map.png").write_bytes(png(np.zeros((4, 4))))
    studio.page.keyboard.press("?")
    studio.drop([tmp_path / "map.png"])
    studio.page.keyboard.press("Escape")
    studio.drop([tmp_path / "map.png"])
    expect(studio.page.locator("#notice")).to_have_text("Opened map.png.")
    studio.page.keyboard.press("Control+z")
    studio.expect_labels(before)
    expect(studio.page.locator("#undo")).to_be_disabled()


def test_escape_closes_the_menu(studio: StudioPage) -> None:
    entry = studio.page.get_by_role("button", name="Save project")
    studio.page.get_by_role("button", name="File").click()
    expect(entry).to_be_visible()
    studio.page.keyboard.press("Escape")
    expect(entry).to_be_hidden()
