from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spade.data.errors import DatasetError, PairingError
from spade.evaluation.picture_folder import PictureFolder, Predictions, file_stem
from spade.label_images import LabelMapError


def picture(path: Path, *, width: int = 40, height: int = 32, level: int = 128) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (level, 0, 255)).save(path)
    return path


def test_pictures_come_in_the_order_of_the_names_asked_for(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", level=0)
    picture(tmp_path / "b.jpg", level=255)
    folder = PictureFolder(tmp_path)
    assert folder.names == ("a", "b")
    assert folder.size() == (32, 40)
    pictures = folder.read(["b", "a"], 32, 40, resize=False)
    assert pictures.shape == (2, 3, 32, 40)
    assert pictures[:, 0].mean((1, 2)).tolist() == pytest.approx([1, -1], abs=0.02)


def test_the_published_place_below_a_folder_of_results_is_found(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "synthesized_image" / "a.png")
    picture(tmp_path / "images" / "input_label" / "a.png")
    assert PictureFolder(tmp_path).names == ("a",)


def test_names_with_folders_are_made_flat() -> None:
    assert file_stem("portrait/0001") == "portrait__0001"
    assert file_stem("/elsewhere/0001") == "elsewhere__0001"


def test_missing_pictures_are_named_and_so_are_those_that_belong_to_no_sample(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "c.png")
    folder = PictureFolder(tmp_path)
    with pytest.raises(PairingError, match=r"2 broken pairs: there is no file for b; .*c\.png belongs to no sample"):
        folder.require(["a", "b"], all_of_them=True)
    with pytest.raises(PairingError, match=r"there is no file for b$"):
        folder.require(["a", "b"], all_of_them=False)
    folder.require(["a"], all_of_them=False)


def test_pictures_of_the_first_samples_lead_to_the_limit(tmp_path: Path) -> None:
    names = [f"sample_{number:02}" for number in range(30)]
    for name in names[:2]:
        picture(tmp_path / f"{name}.png")
    remedy = r"; and 8 more; to use the first 2 samples only, give --limit 2$"
    with pytest.raises(PairingError, match=remedy):
        PictureFolder(tmp_path).require(names, all_of_them=True)
    with pytest.raises(PairingError, match=r"there is no file for sample_02$"):
        PictureFolder(tmp_path).require([*names[1:3], names[0]], all_of_them=True)


def test_a_picture_of_another_size_is_named_or_resized(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png", width=20, height=16)
    folder = PictureFolder(tmp_path)
    with pytest.raises(DatasetError, match=r"b\.png: it has 20x16 pixels, the others 40x32; give --size"):
        folder.read(["a", "b"], 32, 40, resize=False)
    assert folder.read(["a", "b"], 64, 48, resize=True).shape == (2, 3, 64, 48)


def test_folders_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no such folder"):
        PictureFolder(tmp_path / "absent")
    with pytest.raises(DatasetError, match="there are no pictures"):
        PictureFolder(tmp_path)
    picture(tmp_path / "a.png")
    picture(tmp_path / "a.jpg")
    with pytest.raises(DatasetError, match="have the same name"):
        PictureFolder(tmp_path)


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"a\.png: the file is no picture"):
        PictureFolder(tmp_path).size()


def test_predicted_label_maps_are_read_and_checked(
    tmp_path: Path, shapes: Callable[..., tuple[np.ndarray, ...]]
) -> None:
    labels, _ = shapes(0)
    Image.fromarray(labels % 3).save(tmp_path / "a.png")
    predictions = Predictions(tmp_path, classes=3)
    np.testing.assert_array_equal(predictions.read(["a"], 64, 64)[0], labels % 3)
    with pytest.raises(DatasetError, match="it has 64x64 pixels; 32x32 are compared"):
        predictions.read(["a"], 32, 32)
    with pytest.raises(LabelMapError, match=r"1 id.*not of this model, whose ids are 0\.\.1"):
        Predictions(tmp_path, classes=2).read(["a"], 64, 64)
