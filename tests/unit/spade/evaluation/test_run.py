import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from spade.checkpoint import load_generator
from spade.data.config import Phase
from spade.data.errors import PairingError
from spade.data.loading import LoadingConfig
from spade.errors import ConfigError
from spade.evaluation.inception import InceptionFeatures
from spade.evaluation.judged_model import JudgedModel
from spade.evaluation.judging import JudgeFiles
from spade.evaluation.kernel_distance import KernelSubsets
from spade.evaluation.lpips import LPIPS, Backbone
from spade.evaluation.report import Metric, Report
from spade.evaluation.run import EvaluationRequest, run_evaluation
from spade.synthesis import Synthesizer
from support.segmenters import save_untrained_segmenter

Choice = Callable[..., object]
Dataset = Callable[..., Path]


def run(**request: object) -> Report:
    seen: list[int] = []
    totals: list[int] = []
    loading = LoadingConfig(batch_size=2)
    report = run_evaluation(
        EvaluationRequest(**({"loading": loading} | request)), on_total=totals.append, on_pictures=seen.append
    )
    assert totals == [sum(seen)]
    return report


def metrics(report: Report) -> dict[str, Metric]:
    return {metric.name: metric for metric in report.metrics}


def reasons(report: Report) -> dict[str, str]:
    return {one.title: one.reason for one in report.left_out}


def test_photographs_against_themselves_are_perfect_but_for_what_the_segmenter_misses(
    choice: Choice, shapes_dataset: Dataset, segmenter_file: Path
) -> None:
    root = shapes_dataset(val=5)
    report = run(
        generated=root / "val_img",
        reference=choice(root, class_names="a,b,c"),
        files=JudgeFiles(segmenter=segmenter_file),
    )
    found = metrics(report)
    assert found["fid_segmenter"].title == "FID (segmenter features)"
    assert found["fid_segmenter"].value == pytest.approx(0, abs=1e-8)
    assert found["distance_segmenter"].value == 0
    assert found["distance_segmenter"].details["pairs"] == 5
    assert found["miou"].value == found["miou_photographs"].value
    assert found["accuracy"].details["pixels"] == 5 * 62 * 64  # two rows of each are unknown
    assert list(found["miou"].details["iou"]) == list(found["miou_photographs"].details["iou"]) == ["a", "b", "c"]
    assert set(reasons(report)) == {"FID", "KID", "LPIPS"}
    assert "--inception" in reasons(report)["FID"]

    protocol = json.loads(report.to_json())["protocol"]
    assert protocol["reference"]["split"] == protocol["distribution_reference"]["split"] == "val"
    assert (protocol["width"], protocol["height"], protocol["ignored_id"]) == (64, 64, 3)
    digest = hashlib.sha256(segmenter_file.read_bytes()).hexdigest()
    assert protocol["weights"] == [{"role": "segmenter", "file": segmenter_file.name, "sha256": digest}]
    assert {"torch", "torchmetrics", "spade-serving"} <= protocol["versions"].keys()


def test_predicted_labels_stand_for_a_segmenter(choice: Choice, shapes_dataset: Dataset, tmp_path: Path) -> None:
    root = shapes_dataset(val=3)
    for file in (root / "val_label").iterdir():
        labels = np.asarray(Image.open(file))
        (tmp_path / "predicted").mkdir(exist_ok=True)
        Image.fromarray(np.where(labels == 255, 0, labels)).save(tmp_path / "predicted" / file.name)
    files = JudgeFiles(predicted_labels=tmp_path / "predicted")
    found = metrics(run(generated=root / "val_img", reference=choice(root, class_names="a,b,c"), files=files))
    assert (found["miou"].value, found["accuracy"].value) == (1, 1)
    assert found["miou"].details["iou"] == {"a": 1, "b": 1, "c": 1}

    (tmp_path / "predicted" / "shape_1.png").unlink()
    with pytest.raises(PairingError, match="there is no file for shape_1"):
        run(generated=root / "val_img", reference=choice(root), files=files)


def test_the_distribution_may_be_of_another_split(
    choice: Choice, shapes_dataset: Dataset, segmenter_file: Path
) -> None:
    root = shapes_dataset(train=7, val=3)
    report = run(
        generated=root / "val_img",
        reference=choice(root),
        distribution_phase=Phase.TRAIN,
        files=JudgeFiles(segmenter=segmenter_file),
        kid=KernelSubsets(count=5, size=2),
    )
    found = metrics(report)
    assert found["fid_segmenter"].details["reference"] == 7
    assert found["fid_segmenter"].value > 0
    assert (found["kid_segmenter"].details["subsets"], found["kid_segmenter"].details["subset_size"]) == (5, 2)
    assert report.protocol.distribution_reference is not None
    assert report.protocol.distribution_reference.split == "train"


def test_folders_are_compared_in_pairs_where_all_names_are_equal(shapes_dataset: Dataset, segmenter_file: Path) -> None:
    one, other = shapes_dataset("one", val=3) / "val_img", shapes_dataset("other", val=4) / "val_img"
    files = JudgeFiles(segmenter=segmenter_file)
    paired = run(generated=one, reference=one, files=files)
    assert metrics(paired)["distance_segmenter"].value == 0
    unpaired = run(generated=one, reference=other, files=files)
    assert metrics(unpaired)["fid_segmenter"].details["generated"] == 3
    left_out = reasons(unpaired)
    assert left_out["perceptual distance (segmenter features)"] == "there are no photographs of the same label maps"
    assert left_out["mIoU"] == "the reference has no label maps: name a dataset"


def test_inception_and_lpips_come_from_files(
    shapes_dataset: Dataset, tmp_path: Path, drawn: Callable[[str, torch.Size], Tensor]
) -> None:
    def write(name: str, network: torch.nn.Module, prefix: str = "") -> Path:
        tensors = {prefix + key: drawn(key, one.shape) for key, one in network.state_dict().items()}
        torch.save(tensors, tmp_path / name)
        return tmp_path / name

    with torch.device("meta"):
        networks = InceptionFeatures(), LPIPS(Backbone.ALEX).features
    files = JudgeFiles(
        inception=write("inception.pth", networks[0]), lpips=write("alexnet.pth", networks[1], "features.")
    )
    folder = shapes_dataset(val=2) / "val_img"
    report = run(generated=folder, reference=folder, files=files)
    found = metrics(report)
    assert found["fid"].value == pytest.approx(0, abs=1e-6)
    assert found["fid"].details["features"] == 2048
    assert found["lpips"].value == 0
    assert {weights.role for weights in report.protocol.weights} == {
        "Inception v3",
        "LPIPS classifier (alex)",
        "LPIPS layers (alex)",
    }
    assert report.protocol.inception_resize == "bilinear"


def test_a_model_is_judged_by_the_pictures_that_it_makes(
    choice: Choice, shapes_dataset: Dataset, segmenter_file: Path, model_file: Path
) -> None:
    root = shapes_dataset(val=3, photographs=False)
    synthesizer = Synthesizer(load_generator(model_file), device=torch.device("cpu"))
    model = JudgedModel(reference="mine", sha256="0" * 64, synthesizer=synthesizer)
    report = run(generated=model, reference=choice(root), files=JudgeFiles(segmenter=segmenter_file))
    found = metrics(report)
    assert 0 <= found["miou"].value < 0.5
    assert "miou_photographs" not in found
    assert reasons(report)["FID (segmenter features)"].startswith("0 photographs and 3 generated pictures")
    assert report.protocol.generated.source == "mine"
    assert report.protocol.generated.seed is None  # it has no latent
    assert report.protocol.weights[0].role == "model"
    with pytest.raises(ConfigError, match="a model makes pictures of label maps"):
        run(generated=model, reference=root, files=JudgeFiles(segmenter=segmenter_file))


def test_a_segmenter_of_other_classes_is_refused(choice: Choice, shapes_dataset: Dataset, tmp_path: Path) -> None:
    segmenter = save_untrained_segmenter(tmp_path / "s.safetensors", classes=4, size=32)
    root = shapes_dataset(val=2)
    with pytest.raises(ConfigError, match="4 classes apart and ignores id None, the dataset has 3 and ignores 3"):
        run(generated=root / "val_img", reference=choice(root), files=JudgeFiles(segmenter=segmenter))


def test_without_any_weights_nothing_can_be_measured_and_all_reasons_are_told(shapes_dataset: Dataset) -> None:
    folder = shapes_dataset(val=2) / "val_img"
    with pytest.raises(ConfigError, match=r"nothing can be measured\. FID: no Inception .*LPIPS: no .*mIoU: no seg"):
        run(generated=folder, reference=folder)
    with pytest.raises(ConfigError, match="--predicted-labels needs a dataset"):
        run(generated=folder, reference=folder, files=JudgeFiles(predicted_labels=folder))


def test_where_every_pixel_is_unknown_there_is_no_iou(
    choice: Choice, shapes_dataset: Dataset, segmenter_file: Path
) -> None:
    root = shapes_dataset(val=2)
    for file in (root / "val_label").iterdir():
        Image.new("L", (64, 64), 255).save(file)
    report = run(generated=root / "val_img", reference=choice(root), files=JudgeFiles(segmenter=segmenter_file))
    assert "miou" not in metrics(report)
    assert reasons(report)["mIoU"] == "no pixel of the label maps has a known class"
    assert "NaN" not in report.to_json()
