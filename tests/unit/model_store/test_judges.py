"""The segmenters that judge the models: what is told of them is what their files say."""

import re
from pathlib import Path

import pytest

from spade.evaluation.segmenter_checkpoint import load_segmenter

JUDGES = Path(__file__).parents[3] / "model_store" / "judges"


@pytest.mark.parametrize("name", ["scenes.safetensors", "camvid.safetensors"])
def test_the_readme_tells_what_the_file_says(name: str) -> None:
    segmenter, record = load_segmenter(JUDGES / name)
    row = re.search(rf"^\| `{name}` .*$", (JUDGES / "README.md").read_text(), re.MULTILINE)
    assert row is not None
    _, command, *figures = row[0].strip("| ").split(" | ")
    assert figures == [
        str(record.epochs),
        str(record.training_pictures),
        str(record.validation_pictures),
        f"{record.mean_iou:.1%}",
        f"{record.pixel_accuracy:.1%}",
    ]
    assert f"--dataset {record.dataset} " in command
    assert f"--size {segmenter.config.width}x{segmenter.config.height} " in command
