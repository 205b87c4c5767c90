"""`spade export onnx`: a model of the registry or a weights file to a file that onnxruntime runs."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner, Result

from model_store.card import ModelCard
from model_store.cli import spade
from spade.checkpoint import save_network
from support.generators import settled_generator
from support.refusals import refusal

pytestmark = pytest.mark.usefixtures("registry")

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: object) -> Result:
        options = ("--models-dir", tmp_path / "models")
        return CliRunner().invoke(spade, ["export", "onnx", *map(str, (*options, *arguments))])

    return run


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out" / "model.onnx"


def test_a_model_of_the_registry_becomes_a_file_that_knows_its_card(run: Run, output: Path, card: ModelCard) -> None:
    result = run("tiny@1", "-o", output)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"{output}  {output.stat().st_size / 1e6:.1f} MB  opset 17",
        "  takes label_map: int64 (batch, height, width)",
        "  takes instance_map: int64 (batch, height, width)",
        "  makes pictures: float32 (batch, 3, height, width)",
    ]
    session = onnxruntime.InferenceSession(output)
    ids = np.zeros((1, 32, 64), dtype=np.int64)
    (pictures,) = session.run(None, {"label_map": ids, "instance_map": ids})
    assert pictures.shape == (1, 3, 32, 64)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["class_names"]) == ["sky-other", "tree", "person"]
    expected = {"model": "tiny@1", "weights_sha256": card.weights.sha256, "unknown_id": "3", "training": "untrained"}
    assert expected.items() <= metadata.items()
    assert (metadata["width"], metadata["height"], metadata["model_license"]) == ("64", "32", "Apache-2.0")


def test_a_weights_file_becomes_a_file_of_one_size_and_json_tells_about_it(
    run: Run, output: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "mine.safetensors"
    save_network(weights, settled_generator(instance_edges=False))
    result = run(weights, "-o", output, "--size", "96x32", "--opset", 20, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["path"], told["bytes"], told["opset"]) == (str(output), output.stat().st_size, 20)
    assert told["inputs"] == {"label_map": "int64 (batch, 32, 96)"}
    assert told["outputs"] == {"pictures": "float32 (batch, 3, 32, 96)"}
    assert told["metadata"]["model"] == "mine.safetensors"
    assert told["metadata"]["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert "class_names" not in told["metadata"]  # such a file names none


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "there is no model 'none'; there are: coco-stuff, landscape, street, tiny"),
        (["gone.safetensors"], "gone.safetensors: there is no such file"),
        (["tiny@1", "--size", "33x32"], "size 33x32: width and height must be multiples of 32"),
        (["tiny@1", "-o", "model.pb"], "model.pb: not the name of an ONNX file, which ends in .onnx"),
    ],
)
def test_what_cannot_be_exported_is_one_line(run: Run, output: Path, arguments: list[str], message: str) -> None:
    assert refusal(run("-o", output, *arguments), exit_code=1) == message
    assert not output.exists()


def test_a_place_where_nothing_can_be_written_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refusal(run("tiny@1", "-o", tmp_path / "file" / "model.onnx"), exit_code=1)


@pytest.mark.parametrize("opset", ["12", "25"])
def test_versions_that_the_graph_is_not_written_in_are_refused(run: Run, output: Path, opset: str) -> None:
    assert run("tiny@1", "-o", output, "--opset", opset).exit_code == 2


def test_without_the_extra_one_line_names_it(run: Run, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "onnx" or name.startswith("spade.onnx_export")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    line = refusal(run("tiny@1", "-o", output), exit_code=1)
    assert line == "ONNX files need the package onnx: install the extra [onnx]"
