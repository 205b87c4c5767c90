"""The commands of `spade dataset`, as a user calls them."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from spade.cli import spade
from spade.data.class_files import read_class_names
from spade.data.errors import DatasetError
from spade.label_images import decode_label_map


def run(*arguments):
    return CliRunner().invoke(spade, ["dataset", *map(str, arguments)])


def test_help_shows_examples():
    for command in ("inspect", "scenes", "coco-instances"):
        result = run(command, "--help")
        assert result.exit_code == 0
        assert f"spade dataset {command} " in result.output


def test_inspect_tells_what_there_is(tree, tmp_path):
    tree.pairs("1", "2")
    tree.data("classes.csv", b"id,name\n0,sky\n1,sea\n")
    histogram = tmp_path / "classes.png"
    result = run("inspect", tree.root, "--histogram", histogram, "--workers", 1)
    assert result.exit_code == 0, result.output
    assert "mode custom (guessed)" in result.output
    assert "train: 2 samples, 10x8 (2)" in result.output
    assert "sea" in result.output
    assert "Proposed: label_nc 2, no dont_care (from classes.csv)" in result.output
    with Image.open(histogram) as image:
        assert image.format == "PNG"


def test_inspect_answers_programs(tree):
    tree.pairs("1")
    result = run("inspect", tree.root, "--mode", "facades", "--json")
    answer = json.loads(result.output)
    assert (answer["mode"], answer["guessed"], answer["sound"]) == ("facades", False, True)
    assert answer["phases"]["train"]["classes"] == [{"id": 1, "name": None, "pixels": 80, "pictures": 1}]
    assert answer["phases"]["train"]["sizes"] == [{"width": 10, "height": 8, "samples": 1}]
    assert answer["proposal"]["label_nc"] == 13
    assert "val" in answer["absent"]


def test_inspect_fails_where_something_is_broken_and_lists_it(tree):
    tree.pairs("1")
    tree.ids("train_label/lonely.png")
    tree.picture("train_label/1.png", np.eye(3).reshape(1, 3, 3) * 255)
    result = run("inspect", tree.root)
    assert result.exit_code == 1
    assert "train: broken: " in result.output
    assert "lonely.png has no picture" in result.output
    assert "train: 1 label maps are RGB: --palette reads them, or label_nc 0 takes them as pictures" in result.output
    assert "no readable label map" in result.output


def test_coloured_label_maps_are_read_with_a_palette(tree):
    tree.picture("train_label/1.png", [[[255, 0, 0], [0, 0, 255]]])
    tree.picture("train_img/1.png", size=(1, 2))
    colours = tree.data("colours.csv", b"color,id\n#ff0000,4\n#0000ff,0\n")
    answer = json.loads(run("inspect", tree.root, "--palette", colours, "--workers", 1, "--json").output)
    assert [one["id"] for one in answer["phases"]["train"]["classes"]] == [0, 4]
    assert answer["phases"]["train"]["colored"] == 0
    assert answer["proposal"]["label_nc"] == 5


def test_a_palette_may_name_the_classes_that_the_dataset_names_and_processes_read_it_too(tree):
    for number in range(20):
        tree.picture(f"train_label/{number}.png", [[[255, 0, 0], [0, 0, 255]]])
        tree.picture(f"train_img/{number}.png", size=(1, 2))
    tree.data("classes.csv", b"id,name\n0,sky\n1,sea\n")
    colours = tree.data("colours.csv", b"color,name\n#ff0000,sea\n#0000ff,sky\n")
    answer = json.loads(run("inspect", tree.root, "--palette", colours, "--workers", 2, "--json").output)
    assert {one["id"]: one["pixels"] for one in answer["phases"]["train"]["classes"]} == {0: 20, 1: 20}


def test_colours_that_a_palette_lacks_are_named(tree):
    tree.picture("train_label/1.png", [[[255, 0, 0], [0, 0, 255]]])
    tree.picture("train_img/1.png", size=(1, 2))
    colours = tree.data("colours.csv", b"color,id\n#ff0000,4\n")
    result = run("inspect", tree.root, "--palette", colours, "--workers", 1)
    assert result.exit_code == 1
    assert f"1.png: colours that are not in the palette {colours}: #0000ff (1 pixels)" in result.output
    missing = run("inspect", tree.root, "--palette", "/nowhere.csv")
    assert missing.output == "Error: /nowhere.csv: the palette cannot be read: No such file or directory\n"


def test_many_sizes_are_summed_up(tree):
    for number in range(1, 6):
        tree.pairs(str(number), size=(number, number))
    assert "1x1 (1), 2x2 (1), 3x3 (1) and 2 sizes more" in run("inspect", tree.root).output


def test_an_error_is_one_line_and_a_status(tmp_path):
    result = run("inspect", tmp_path / "gone")
    assert result.exit_code == 1
    assert result.output == f"Error: {tmp_path / 'gone'}: there is no such folder\n"


@pytest.mark.parametrize(
    "arguments", [("inspect",), ("inspect", "x", "--mode", "mine"), ("scenes", "x", "--count", "0")]
)
def test_bad_usage_has_a_status_of_its_own(arguments):
    assert run(*arguments).exit_code == 2


def read_tree(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_scenes_are_written_as_custom_data_and_do_not_depend_on_workers(tmp_path):
    options = ("--count", 10, "--val-count", 1, "--size", "96x64", "--seed", 5)
    one, two = tmp_path / "one", tmp_path / "two"
    answer = json.loads(run("scenes", one, *options, "--workers", 1, "--json").output)
    assert (answer["train"], answer["val"], answer["label_nc"]) == (10, 1, 13)
    result = run("scenes", two, *options, "--workers", 2)
    assert result.exit_code == 0, result.output
    assert "10 scenes to train with, 1 to validate with, label_nc 13" in result.output
    assert read_tree(one) == read_tree(two)
    assert len(read_tree(one)) == 24
    assert "train: 10 samples, 96x64 (10)" in run("inspect", one).output
    assert "label_nc 13, no dont_care (from classes.csv)" in run("inspect", one).output
    assert read_class_names(one)[9] == "sand"


def test_scenes_can_be_of_one_weather_png_and_numbered_without_gaps(tmp_path):
    result = run(
        "scenes", tmp_path / "s", "--count", 2, "--variant", "winter", "--format", "png",
        "--size", "64x64", "--workers", 1,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert sorted(path.suffix for path in (tmp_path / "s/train_img").iterdir()) == [".png", ".png"]
    assert not (tmp_path / "s/val_img").exists()
    for path in (tmp_path / "s/train_label").iterdir():
        assert decode_label_map(path.read_bytes(), file=path.name, label_nc=13, unknown_id=None).max() <= 12
    assert read_class_names(tmp_path / "s")[7] == "grass"


def test_scenes_are_drawn_again_with_the_same_options_and_mixed_with_nothing_else(tmp_path):
    options = ("--count", 1, "--size", "64x64", "--workers", 1)
    out, mine = tmp_path / "s", tmp_path / "mine"
    assert run("scenes", out, *options).exit_code == 0
    drawn = read_tree(out)
    (out / "train_img" / "scene_000000000000.jpg").unlink()
    assert run("scenes", out, *options).exit_code == 0
    assert read_tree(out) == drawn

    other = run("scenes", out, *options, "--seed", 7, "--val-count", 2)
    told = "it holds scenes that were drawn with another --val-count, --seed"
    assert other.output == f"Error: {out}: {told}; choose a folder that is empty, or remove what is in it\n"
    assert read_tree(out) == drawn

    mine.mkdir()
    (mine / "classes.csv").write_text("id,name\n0,sky\n")
    refused = run("scenes", mine, *options)
    assert (refused.exit_code, "there are other files in it" in refused.output) == (1, True)
    assert read_tree(mine) == {Path("classes.csv"): b"id,name\n0,sky\n"}


@pytest.mark.parametrize("note", ["", "[1]", '{"--count": 2}'])
def test_a_note_of_other_scenes_is_no_leave_to_overwrite_them(tmp_path, note):
    (tmp_path / "scenes.json").write_text(note)
    result = run("scenes", tmp_path, "--count", 1, "--size", "64x64", "--workers", 1)
    assert (result.exit_code, "drawn with another --count" in result.output) == (1, True)


def test_a_size_that_cannot_be_drawn_is_refused(tmp_path):
    result = run("scenes", tmp_path, "--count", 1, "--size", "8x8")
    assert result.exit_code == 1
    assert result.output == "Error: scenes are drawn at 32 pixels a side or more: 8x8\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_coco_instances_are_made(tree, as_json):
    tree.ids("maps/1.png", 90)
    data = {
        "images": [{"id": 1, "file_name": "1.jpg", "height": 8, "width": 10}],
        "annotations": [{"id": 1, "image_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]}],
    }
    path = tree.data("a.json", json.dumps(data).encode())
    result = run("coco-instances", path, tree.root / "maps", tree.root / "out", *(["--json"] if as_json else []))
    assert result.exit_code == 0, result.output
    assert ('"maps": 1' if as_json else "1 instance maps") in result.output
    assert (tree.root / "out/1.png").is_file()


def test_a_missing_annotation_file_is_named(tmp_path):
    result = run("coco-instances", tmp_path / "gone.json", tmp_path, tmp_path / "out")
    assert (result.exit_code, result.output) == (1, f"Error: {tmp_path / 'gone.json'}: No such file or directory\n")


def test_a_class_file_without_ids_is_explained(tree):
    tree.data("classes.csv", b"name\nsky\n")
    with pytest.raises(DatasetError, match="it must have a line `id,name"):
        read_class_names(tree.root)
