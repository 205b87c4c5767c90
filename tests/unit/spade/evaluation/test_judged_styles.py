from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from spade.config import EncoderConfig, GeneratorConfig
from spade.data.config import Mode
from spade.data.loading import LoadingConfig
from spade.data.transforms import picture_to_floats
from spade.encoder import ImageEncoder
from spade.evaluation.features import SegmenterDistance
from spade.evaluation.judged_model import JudgedModel
from spade.evaluation.judging import JudgeFiles
from spade.evaluation.report import Report
from spade.evaluation.run import EvaluationRequest, run_evaluation
from spade.evaluation.segmenter_checkpoint import load_segmenter
from spade.generator import SpadeGenerator
from spade.synthesis import Synthesizer

Choice = Callable[..., object]
Dataset = Callable[..., Path]
Drawn = Callable[[str, torch.Size], Tensor]

SIZES = {"height": 64, "width": 64, "base_channels": 1, "hidden_channels": 4, "latent_dim": 4}
CONFIG = GeneratorConfig(label_nc=3, dont_care=True, instance_edges=False, **SIZES)


def judged_model(drawn: Drawn, *, reads_its_latent: bool = True, encodes: bool = True) -> JudgedModel:
    generator, encoder = SpadeGenerator(CONFIG), ImageEncoder(EncoderConfig(latent_dim=4, base_channels=1))
    for network in (generator, encoder):
        network.load_state_dict({key: drawn(key, value.shape) for key, value in network.state_dict().items()})
    if not reads_its_latent:
        torch.nn.init.zeros_(generator.start.weight)
    synthesizer = Synthesizer(generator.eval(), device=torch.device("cpu"))
    return JudgedModel(
        reference="mine", sha256="0" * 64, synthesizer=synthesizer, encoder=encoder.eval() if encodes else None
    )


def judged(model: JudgedModel, reference: object, segmenter_file: Path) -> Report:
    return run_evaluation(
        EvaluationRequest(
            generated=model,
            reference=reference,
            files=JudgeFiles(segmenter=segmenter_file),
            loading=LoadingConfig(batch_size=2),
        ),
        on_total=[].append,
        on_pictures=[].append,
    )


def value(report: Report, name: str) -> float:
    return next(metric.value for metric in report.metrics if metric.name == name)


def test_diversity_is_how_far_two_styles_of_a_map_are_apart(
    choice: Choice, shapes_dataset: Dataset, segmenter_file: Path, drawn: Drawn
) -> None:
    reference = choice(shapes_dataset(val=3))
    report = judged(judged_model(drawn), reference, segmenter_file)
    assert value(report, "diversity_segmenter") > 1e-4
    metric = next(metric for metric in report.metrics if metric.name == "diversity_segmenter")
    assert (metric.title, metric.higher_is_better) == ("diversity (segmenter features)", True)
    assert metric.details["pairs"] == 3
    deaf = judged(judged_model(drawn, reads_its_latent=False), reference, segmenter_file)
    assert value(deaf, "diversity_segmenter") == 0


def test_reconstruction_is_the_distance_from_the_photograph_in_its_own_style(
    choice: Choice, shapes_dataset: Dataset, segmenter_file: Path, drawn: Drawn
) -> None:
    root = shapes_dataset(val=1)
    model = judged_model(drawn)
    photograph = picture_to_floats(np.asarray(Image.open(root / "val_img" / "shape_0.png")))
    labels = np.asarray(Image.open(root / "val_label" / "shape_0.png"))
    assert model.encoder is not None
    with torch.inference_mode():
        latent = model.encoder(torch.from_numpy(photograph)[None])[0][0]
    picture = model.synthesizer.synthesize(np.where(labels == 255, 3, labels)[None], None, [0], [latent])[0]
    distance = SegmenterDistance(load_segmenter(segmenter_file)[0])
    expected = distance(torch.from_numpy(picture_to_floats(picture))[None], torch.from_numpy(photograph)[None]).item()

    report = judged(model, choice(root), segmenter_file)
    assert value(report, "reconstruction_segmenter") == pytest.approx(expected, rel=1e-5)
    assert value(report, "reconstruction_segmenter") != pytest.approx(value(report, "distance_segmenter"), rel=1e-3)
    names = {metric.name for metric in judged(judged_model(drawn, encodes=False), choice(root), segmenter_file).metrics}
    assert "diversity_segmenter" in names
    assert "reconstruction_segmenter" not in names


def test_generated_pictures_are_held_against_what_the_segmenter_sees_in_photographs(
    choice: Choice, shapes_dataset: Dataset, segmenter_file: Path, drawn: Drawn
) -> None:
    report = judged(judged_model(drawn), choice(shapes_dataset(val=3)), segmenter_file)
    assert value(report, "miou_ratio") == pytest.approx(value(report, "miou") / value(report, "miou_photographs"))


def test_scenes_are_drawn_with_the_classes_of_the_model(choice: Choice) -> None:
    scenes = choice(None, mode="scenes", label_nc=None, dont_care=None)
    config = scenes.config_for(CONFIG, 64, 64, reference="mine", class_names=("sky", "sea", "grass"))
    assert (config.mode, config.label_nc, config.class_names) == (Mode.SCENES, 3, ("sky", "sea", "grass"))
    other = choice(None, mode="scenes", label_nc=None, dont_care=None, class_names="sky,sand,road", limit=5)
    assert other.config_for(CONFIG, 64, 64, reference="mine", class_names=("sky", "sea", "grass")).class_names == (
        "sky",
        "sand",
        "road",
    )
