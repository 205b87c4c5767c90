from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from spade.errors import CheckpointError, ConfigError
from spade.evaluation.features import SegmenterDistance, SegmenterSource
from spade.evaluation.segmenter import Segmenter, SegmenterConfig, predict
from spade.evaluation.segmenter_checkpoint import SegmenterRecord, load_segmenter, save_segmenter
from support.segmenters import untrained_record


def config(**changes: object) -> SegmenterConfig:
    return SegmenterConfig(**({"classes": 3, "ignored_id": 3, "height": 64, "width": 96, "base_channels": 2} | changes))


def segmenter() -> Segmenter:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Segmenter(config()).eval()


def record() -> SegmenterRecord:
    return untrained_record(config(class_names=("a", "b", "c")))


@pytest.mark.parametrize(("height", "width"), [(64, 96), (32, 32), (75, 131)])
def test_scores_and_predictions_have_the_size_of_the_pictures(height: int, width: int) -> None:
    network, pictures = segmenter(), torch.rand(2, 3, height, width)
    assert network(pictures).shape == (2, 3, height, width)
    predicted = predict(network, pictures)
    assert predicted.shape == (2, height, width)
    assert predicted.max() < 3


def test_stages_halve_the_resolution_five_times() -> None:
    shapes = [tuple(stage.shape[1:]) for stage in segmenter().stages(torch.zeros(1, 3, 64, 96))]
    assert shapes == [(2, 32, 48), (4, 16, 24), (8, 8, 12), (16, 4, 6), (24, 2, 3)]


def test_features_are_those_of_the_two_deepest_stages() -> None:
    source = SegmenterSource(segmenter())
    assert source(torch.rand(3, 3, 100, 50)).shape == (3, source.dimension) == (3, 40)


def test_equal_pictures_are_at_distance_zero_and_others_are_not() -> None:
    distance, pictures = SegmenterDistance(segmenter()), torch.rand(2, 3, 64, 96) * 2 - 1
    assert distance(pictures, pictures).tolist() == [0, 0]
    assert distance(pictures, -pictures).min() > 0


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"classes": 0}, "classes is 0; it must be at least 1"),
        ({"width": 31}, "size 31x64; each side must be 32 or more"),
        ({"class_names": ("a",)}, "1 class_names for 3 classes"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        config(**changes)


def test_classes_without_names_go_by_their_ids() -> None:
    assert config().name_of(2) == "2"
    assert config(class_names=("sky", "sea", "sand")).name_of(2) == "sand"


def test_a_saved_segmenter_comes_back_as_it_was(tmp_path: Path) -> None:
    saved = segmenter()
    save_segmenter(tmp_path / "s.safetensors", saved, record())
    loaded, about = load_segmenter(tmp_path / "s.safetensors")
    assert about == record()
    pictures = torch.rand(1, 3, 64, 96)
    torch.testing.assert_close(loaded(pictures), saved(pictures), rtol=0, atol=0)
    first = (tmp_path / "s.safetensors").read_bytes()
    save_segmenter(tmp_path / "s.safetensors", saved, record())
    assert (tmp_path / "s.safetensors").read_bytes() == first


def test_files_that_hold_no_segmenter_are_named(tmp_path: Path) -> None:
    file = tmp_path / "s.safetensors"
    with pytest.raises(CheckpointError, match="there is no such file"):
        load_segmenter(file)
    file.write_bytes(b"nothing of use")
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_segmenter(file)
    save_file({"weight": torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match=r"it holds no segmenter; `spade train-segmenter`"):
        load_segmenter(file)
    save_file({"weight": torch.zeros(1)}, file, metadata={"segmenter": "{"})
    with pytest.raises(CheckpointError, match="cannot be used"):
        load_segmenter(file)


def test_a_tensor_that_does_not_fit_is_named(tmp_path: Path) -> None:
    file = tmp_path / "s.safetensors"
    save_segmenter(file, Segmenter(config(classes=4)), record())
    with pytest.raises(CheckpointError, match=r"classify\.weight is float32 \(4, 2, 1, 1\), expected .*\(3, 2, 1, 1\)"):
        load_segmenter(file)
    assert load_file(file)["classify.weight"].shape == (4, 2, 1, 1)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_segmenter(tmp_path / "file" / "s.safetensors", segmenter(), record())
