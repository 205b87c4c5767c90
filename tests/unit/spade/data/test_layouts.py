"""Every mode finds its files, and what is missing is named."""

from dataclasses import replace

import pytest

from spade.data.config import Mode, Phase
from spade.data.errors import DatasetError, PairingError
from spade.data.layouts import find_samples, list_samples
from spade.data.presets import PRESETS


def config_of(mode, tree, **changes):
    return replace(PRESETS[mode](str(tree.root)).dataset, **changes)


def names(samples):
    return [sample.name for sample in samples]


def coco_sample(tree, stem, phase="train", ending=""):
    tree.ids(f"{phase}_label{ending}/{stem}.png")
    tree.picture(f"{phase}_img{ending}/{stem}.jpg")
    tree.ids(f"{phase}_inst{ending}/{stem}.png")


def test_coco_reads_three_folders_of_a_phase(tree):
    coco_sample(tree, "000000000009")
    coco_sample(tree, "000000000139", "val")
    (sample,) = find_samples(config_of(Mode.COCO, tree), Phase.TRAIN)
    assert sample.name == "000000000009"
    assert sample.label == tree.root / "train_label/000000000009.png"
    assert sample.picture == tree.root / "train_img/000000000009.jpg"
    assert sample.instance == tree.root / "train_inst/000000000009.png"
    assert names(find_samples(config_of(Mode.COCO, tree), Phase.VAL)) == ["000000000139"]


def test_coco_portraits_are_trained_on_unless_switched_off(tree):
    coco_sample(tree, "1")
    coco_sample(tree, "1", ending="_portrait")
    coco_sample(tree, "2", "val")
    coco_sample(tree, "2", "val", ending="_portrait")
    config = config_of(Mode.COCO, tree)
    assert names(find_samples(config, Phase.TRAIN)) == ["1", "portrait/1"]
    assert names(find_samples(replace(config, portraits=False), Phase.TRAIN)) == ["1"]
    assert names(find_samples(config, Phase.VAL)) == ["2"]


def test_ade20k_tells_phases_and_kinds_by_file_names(tree):
    for folder, stem in (("a/arch", "ADE_train_00000010"), ("b", "ADE_train_00000009"), ("b", "ADE_val_00000001")):
        tree.ids(f"{folder}/{stem}.png")
        tree.picture(f"{folder}/{stem}.jpg")
    config = config_of(Mode.ADE20K, tree)
    assert names(find_samples(config, Phase.TRAIN)) == ["ADE_train_00000010", "ADE_train_00000009"]
    assert names(find_samples(config, Phase.VAL)) == ["ADE_val_00000001"]


def test_ade20k_looks_at_paths_below_the_root_only(tree):
    tree.root = tree.root / "my_train_set"
    tree.ids("ADE_val_1.png")
    tree.picture("ADE_val_1.jpg")
    with pytest.raises(DatasetError, match="there are no train files of mode ade20k"):
        find_samples(config_of(Mode.ADE20K, tree), Phase.TRAIN)


def test_ade20k_takes_a_file_list_that_names_files_elsewhere(tree):
    tree.ids("elsewhere/ADE_train_1.png")
    tree.picture("elsewhere/ADE_train_1.jpg")
    listed = "".join(f"{tree.root}/elsewhere/ADE_train_1.{ending}\n" for ending in ("png", "jpg"))
    tree.data("ade/files.list", listed.encode())
    tree.root = tree.root / "ade"
    assert names(find_samples(config_of(Mode.ADE20K, tree), Phase.TRAIN)) == ["ADE_train_1"]


def test_cityscapes_pairs_city_sequence_and_frame(tree):
    for frame in ("aachen_000000_000019", "bonn_000001_000019"):
        city = frame.split("_")[0]
        for kind in ("labelIds", "instanceIds", "labelTrainIds", "color"):
            tree.ids(f"gtFine/train/{city}/{frame}_gtFine_{kind}.png")
        tree.picture(f"leftImg8bit/train/{city}/{frame}_leftImg8bit.png")
    samples = find_samples(config_of(Mode.CITYSCAPES, tree), Phase.TRAIN)
    assert names(samples) == ["aachen_000000_000019", "bonn_000001_000019"]
    assert samples[1].instance.name == "bonn_000001_000019_gtFine_instanceIds.png"
    assert samples[1].picture.name == "bonn_000001_000019_leftImg8bit.png"


@pytest.mark.parametrize("mode", [Mode.FACADES, Mode.CUSTOM])
def test_label_and_picture_folders_are_enough(tree, mode):
    tree.pairs("a", "b")
    samples = find_samples(config_of(mode, tree), Phase.TRAIN)
    assert names(samples) == ["a", "b"]
    assert samples[0].instance is None


def test_custom_takes_folders_from_anywhere(tree):
    tree.ids("maps/1.png")
    tree.picture("photos/1.jpeg")
    tree.ids("things/1.png")
    folders = {f"{kind}_dir": str(tree.root / name) for kind, name in (("label", "maps"), ("image", "photos"))}
    config = config_of(Mode.CUSTOM, tree, root="", **folders)
    (sample,) = find_samples(config, Phase.VAL)
    assert sample.picture == tree.root / "photos/1.jpeg"
    with_instances = replace(config, instance_edges=True, instance_dir=str(tree.root / "things"))
    assert find_samples(with_instances, Phase.TRAIN)[0].instance == tree.root / "things/1.png"


def test_custom_needs_no_pictures_for_testing(tree):
    tree.ids("maps/1.png")
    config = config_of(Mode.CUSTOM, tree, label_dir=str(tree.root / "maps"))
    assert find_samples(config, Phase.VAL, pictures=False)[0].picture is None
    with pytest.raises(DatasetError, match="pictures are needed, but the configuration names no image_dir"):
        find_samples(config, Phase.VAL)


def test_numbers_in_names_are_sorted_by_value(tree):
    tree.pairs("frame10", "frame9", "frame100", "a")
    assert names(find_samples(config_of(Mode.CUSTOM, tree), Phase.TRAIN)) == ["a", "frame9", "frame10", "frame100"]


def test_other_files_and_hidden_files_are_passed_over(tree):
    tree.pairs("a")
    tree.data("train_label/readme.txt")
    tree.data("train_label/._a.png")
    tree.data("train_img/Thumbs.db")
    assert names(find_samples(config_of(Mode.CUSTOM, tree), Phase.TRAIN)) == ["a"]


def test_endings_may_be_in_capitals(tree):
    tree.ids("train_label/a.PNG")
    tree.picture("train_img/a.JPG")
    assert names(find_samples(config_of(Mode.CUSTOM, tree), Phase.TRAIN)) == ["a"]


def test_equal_stems_in_subfolders_are_told_apart_by_their_folders(tree):
    tree.pairs("x/1", "y/1")
    samples = find_samples(config_of(Mode.CUSTOM, tree), Phase.TRAIN)
    assert names(samples) == ["x/1", "y/1"]
    assert samples[1].picture == tree.root / "train_img/y/1.png"


def test_every_broken_pair_is_named(tree):
    tree.pairs("whole")
    tree.ids("train_label/lonely.png")
    tree.picture("train_img/left_over.jpg")
    with pytest.raises(PairingError, match="2 broken pairs") as caught:
        find_samples(config_of(Mode.CUSTOM, tree), Phase.TRAIN)
    assert f"{tree.root}/train_label/lonely.png has no picture" in str(caught.value)
    assert f"{tree.root}/train_img/left_over.jpg has no label map" in str(caught.value)


def test_an_instance_map_is_missed_too(tree):
    coco_sample(tree, "1")
    tree.ids("train_label/2.png")
    with pytest.raises(PairingError, match=r"1 broken pair: .*2\.png has no picture and no instance map"):
        find_samples(config_of(Mode.COCO, tree), Phase.TRAIN)


def test_a_long_list_of_broken_pairs_is_cut_but_kept_whole_in_the_error(tree):
    for number in range(25):
        tree.ids(f"train_label/{number}.png")
    tree.pairs("whole")
    with pytest.raises(PairingError, match="and 5 more, which `spade dataset inspect` lists") as caught:
        find_samples(config_of(Mode.CUSTOM, tree), Phase.TRAIN)
    assert len(caught.value.problems) == 25


def test_two_files_of_one_name_are_refused(tree):
    tree.pairs("a")
    tree.picture("train_img/a.jpg")
    with pytest.raises(PairingError, match=r"a\.jpg and .*a\.png are pictures of the same name"):
        find_samples(config_of(Mode.CUSTOM, tree), Phase.TRAIN)


def test_without_the_pairing_check_order_counts(tree):
    tree.ids("train_label/a.png")
    tree.picture("train_img/z.png")
    config = config_of(Mode.CUSTOM, tree, pairing_check=False)
    (sample,) = find_samples(config, Phase.TRAIN)
    assert (sample.name, sample.picture.name) == ("a", "z.png")
    tree.picture("train_img/zz.png")
    with pytest.raises(PairingError, match="there are 1 label maps, 2 pictures"):
        find_samples(config, Phase.TRAIN)


def test_the_first_samples_only(tree):
    tree.pairs("1", "2", "3")
    assert names(find_samples(config_of(Mode.CUSTOM, tree, max_dataset_size=2), Phase.TRAIN)) == ["1", "2"]


def test_a_file_list_is_read_instead_of_looking(tree):
    tree.pairs("1", "2")
    for kind in ("label", "img"):
        tree.data(f"train_{kind}/files.list", b"2.png\n\n")
    assert names(find_samples(config_of(Mode.CUSTOM, tree), Phase.TRAIN)) == ["2"]
    tree.data("train_label/files.list", b"2.png\n3.png\n")
    with pytest.raises(DatasetError, match=r"1 of its 2 files do not exist: .*3\.png"):
        find_samples(config_of(Mode.CUSTOM, tree), Phase.TRAIN)


def test_a_missing_folder_is_named(tree):
    with pytest.raises(DatasetError, match="train_label: there is no such folder"):
        find_samples(config_of(Mode.FACADES, tree), Phase.TRAIN)


def test_empty_folders_tell_what_is_expected(tree):
    tree.data("train_label/.keep")
    tree.data("train_img/.keep")
    with pytest.raises(DatasetError, match="there are no train files of mode facades; it has the folders"):
        find_samples(config_of(Mode.FACADES, tree), Phase.TRAIN)


def test_scenes_have_no_files(tree):
    with pytest.raises(DatasetError, match="mode scenes has no files; files are read in modes coco, ade20k"):
        list_samples(config_of(Mode.SCENES, tree), Phase.TRAIN)
