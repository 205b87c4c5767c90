"""What an inspection finds in good and in broken folders."""

import numpy as np
import pytest
from PIL import Image

from spade.data.config import Mode, Phase
from spade.data.errors import DatasetError
from spade.data.histogram import save_histogram
from spade.data.inspection import guess_mode, inspect_dataset


def test_the_mode_is_guessed_from_the_folders(tree):
    tree.pairs("1")
    assert guess_mode(tree.root) is Mode.CUSTOM
    tree.ids("train_inst/1.png")
    assert guess_mode(tree.root) is Mode.COCO
    tree.ids("gtFine/val/x/x_0_0_gtFine_labelIds.png")
    assert guess_mode(tree.root) is Mode.CITYSCAPES


def test_ade20k_is_guessed_from_the_file_names(tree):
    tree.ids("annotations/ADE_val_00000001.png")
    assert guess_mode(tree.root) is Mode.ADE20K


def test_an_unknown_layout_is_explained(tree):
    tree.ids("maps/1.png")
    with pytest.raises(DatasetError, match="this is no layout that is known"):
        guess_mode(tree.root)
    with pytest.raises(DatasetError, match="there is no such folder"):
        inspect_dataset(tree.root / "gone")


def test_samples_sizes_and_classes_are_counted(tree):
    tree.ids("train_label/1.png", [[0, 0], [3, 3]])
    tree.picture("train_img/1.jpg", size=(2, 2))
    tree.pairs("2", "3")
    report = inspect_dataset(tree.root)
    train = report.phases[Phase.TRAIN]
    assert train.samples == 3
    assert train.sizes == {(10, 8): 2, (2, 2): 1}
    assert train.pixels == {0: 2, 1: 160, 3: 2}
    assert train.pictures == {0: 1, 1: 2, 3: 1}
    assert report.sound
    assert "val_label: there is no such folder" in report.absent[Phase.VAL]


def test_processes_find_the_same(tree):
    tree.pairs(*map(str, range(20)))
    assert inspect_dataset(tree.root, workers=2) == inspect_dataset(tree.root)


def test_the_first_samples_only(tree):
    tree.pairs("1", "2", "3")
    assert sum(inspect_dataset(tree.root, most=2).phases[Phase.TRAIN].pictures.values()) == 2


def test_label_maps_alone_are_inspected_too(tree):
    tree.ids("val_label/1.png", 2)
    assert inspect_dataset(tree.root).phases[Phase.VAL].pixels == {2: 80}


@pytest.mark.parametrize(
    ("ids", "names", "label_nc", "dont_care", "note"),
    [
        ([0, 5], {}, 6, False, "if 5 stands for unknown, say label_nc 5 and dont_care instead"),
        ([0, 5, 255], {}, 6, True, "255 stands for unknown"),
        ([0], {}, 1, False, "one class"),
        ([0, 2], {0: "sky", 1: "sea", 2: "sand"}, 3, False, "from classes.csv"),
        ([0, 2], {0: "sky", 1: "sea", 2: "Unlabelled"}, 2, True, "from classes.csv"),
        ([0, 9], {0: "sky", 1: "sea"}, 10, False, "if 9 stands for unknown"),
        ([300, 255], {}, 301, False, "if 300 stands for unknown"),
    ],
)
def test_label_nc_and_dont_care_are_proposed(tree, ids, names, label_nc, dont_care, note):
    tree.ids("train_label/1.png", [ids])
    tree.picture("train_img/1.png", size=(1, len(ids)))
    proposal = inspect_dataset(tree.root, names=names).proposal
    assert (proposal.label_nc, proposal.dont_care) == (label_nc, dont_care)
    assert note in proposal.note


@pytest.mark.parametrize(("ids", "note"), [([0, 255], "which all ids fit"), ([0, 200], "ids that do not fit: 200")])
def test_of_a_published_mode_the_published_values_are_proposed(tree, ids, note):
    for kind in ("label", "inst"):
        tree.ids(f"train_{kind}/1.png", [ids])
    tree.picture("train_img/1.png", size=(1, 2))
    proposal = inspect_dataset(tree.root).proposal
    assert (proposal.label_nc, proposal.dont_care) == (182, True)
    assert note in proposal.note


def test_broken_pairs_and_unreadable_files_are_listed(tree):
    tree.pairs("1", "2", "3")
    tree.ids("train_label/lonely.png")
    tree.data("train_img/2.png", b"no picture")
    path = tree.root / "train_label/3.png"
    path.write_bytes(path.read_bytes()[:-30])
    report = inspect_dataset(tree.root)
    train = report.phases[Phase.TRAIN]
    assert not report.sound
    assert len(train.broken_pairs) == 1
    assert "lonely.png has no picture" in train.broken_pairs[0]
    assert len(train.unreadable) == 2
    assert any("2.png: the file is no picture" in problem for problem in train.unreadable)
    assert any("3.png: the file ends" in problem for problem in train.unreadable)


def test_an_instance_map_of_another_size_is_found(tree):
    tree.pairs("1")
    tree.ids("train_inst/1.png", 1, (3, 3))
    for mode in (Mode.COCO, Mode.CUSTOM):
        (problem,) = inspect_dataset(tree.root, mode).phases[Phase.TRAIN].unreadable
        assert "the instance map is not of the label map's size, 10x8" in problem


def test_coloured_label_maps_are_counted(tree):
    tree.picture("train_label/1.png", np.eye(3).reshape(1, 3, 3) * 255)
    tree.picture("train_img/1.png", size=(1, 3))
    report = inspect_dataset(tree.root)
    assert report.phases[Phase.TRAIN].colored == 1
    assert report.proposal is None
    assert report.sound


def test_the_histogram_has_a_bar_for_each_class(tmp_path):
    path = tmp_path / "deep" / "classes.png"
    save_histogram(path, {0: 900, 7: 90, 255: 1}, {0: 3, 7: 2, 255: 1}, {0: "sky"}, title="mine")
    with Image.open(path) as image:
        blue = (np.asarray(image) == (66, 122, 196)).all(axis=-1)
    lengths = sorted({int(row.sum()) for row in blue if row.any()})
    assert len(lengths) == 3
    assert lengths[0] < lengths[1] < lengths[2]


def test_camvid_is_sound(shared):
    report = inspect_dataset(shared("camvid"), most=20)
    assert report.sound
    assert report.phases[Phase.TRAIN].samples == 367
    assert report.phases[Phase.VAL].sizes == {(480, 360): 20}


def test_coco_is_sound(shared):
    report = inspect_dataset(shared("coco_stuff_sample"))
    assert report.sound
    assert (report.mode, report.proposal.note) == (Mode.COCO, "the published values of mode coco, which all ids fit")
