"""`spade train` and `spade export run` on a miniature dataset: what they write, and what configurations they refuse."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image

from spade.training.metrics_log import read_metrics
from support.refusals import BAD_CONFIGURATION, refusal

Train = Callable[..., Result]


def test_a_run_writes_everything_that_tells_of_it(finished_run: Path) -> None:
    names = {path.name for path in finished_run.iterdir()}
    assert names == {".lock", "checkpoints", "config.toml", "index.html", "metrics.jsonl", "samples", "tensorboard"}
    assert [path.name for path in sorted((finished_run / "checkpoints").iterdir())] == [
        "step-000000003.pt",
        "step-000000004.pt",
    ]
    lines = read_metrics(finished_run / "metrics.jsonl")
    assert [line["pictures"] for line in lines] == [2, 4, 6, 8]
    assert set(lines[0]["losses"]) == {"GAN", "GAN_Feat", "D_Fake", "D_real"}
    assert tomllib.loads((finished_run / "config.toml").read_text())["generator"]["base_channels"] == 2
    assert "finished" in (finished_run / "index.html").read_text()
    (sheet,) = (finished_run / "samples").iterdir()
    with Image.open(sheet) as picture:
        assert picture.width == 4 * (64 + 4)
        pixels = np.asarray(picture)
    # The label map's column shows classes in colours, the real one has the picture's grain.
    assert len(np.unique(pixels[20:80, 4:64].reshape(-1, 3), axis=0)) <= 4
    assert len(np.unique(pixels[20:80, 140:200].reshape(-1, 3), axis=0)) > 100


def test_a_finished_run_has_nothing_left_to_do(train: Train, finished_run: Path) -> None:
    before = sorted(path.name for path in (finished_run / "checkpoints").iterdir())
    again = train("-o", finished_run)
    assert again.exit_code == 0, again.output
    assert "goes on from" in again.stderr
    assert sorted(path.name for path in (finished_run / "checkpoints").iterdir()) == before


def test_print_config_prints_what_would_be_used(spade: Callable[..., Result]) -> None:
    arguments = ("train", "--dataset", "coco", "--dataroot", "/data", "--vae", "--set", "losses.objective=ls")
    result = spade(*arguments, "--epochs", 7, "--print-config")
    assert result.exit_code == 0, result.output
    printed = tomllib.loads(result.stdout)
    assert (printed["dataset"]["root"], printed["losses"]["objective"]) == ("/data", "ls")
    assert (printed["schedule"]["epochs"], printed["encoder"]["latent_dim"]) == (7, 256)


def test_a_size_is_given_as_everywhere(train: Train) -> None:
    result = train("--size", "96x64", "--print-config")
    assert result.exit_code == 0, result.output
    printed = tomllib.loads(result.stdout)
    assert (printed["generator"]["width"], printed["generator"]["height"]) == (96, 64)
    assert (printed["dataset"]["preprocess"], printed["dataset"]["crop_size"]) == ("fixed", 96)
    assert "size 100x64: width and height must be multiples of 32" in refusal(train("--size", "100x64"))


def test_options_of_the_dataset_are_those_of_every_command(train: Train) -> None:
    folders = ("--label-dir", "maps", "--image-dir", "photographs", "--instance-dir", "instances")
    options = ("--dont-care", "--instances", "--palette", "colours.csv", "--limit", 5, "--class-names", "a,b, c,d")
    result = train(*folders, *options, "--no-pairing-check", "--print-config")
    assert result.exit_code == 0, result.output
    dataset = tomllib.loads(result.stdout)["dataset"]
    given = {
        "label_dir": "maps",
        "image_dir": "photographs",
        "instance_dir": "instances",
        "dont_care": True,
        "instance_edges": True,
        "palette": "colours.csv",
        "max_dataset_size": 5,
        "class_names": ["a", "b", "c", "d"],
        "pairing_check": False,
    }
    assert dataset | given == dataset
    without = train("--set", "dataset.dont_care=true", "--no-dont-care", "--no-instances", "--print-config")
    assert tomllib.loads(without.stdout)["dataset"]["dont_care"] is True, "--set goes before all"


def test_named_folders_and_a_palette_train_on_the_first_samples(train: Train, dataset: Path, tmp_path: Path) -> None:
    coloured = tmp_path / "coloured"
    coloured.mkdir()
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], dtype=np.uint8)
    for path in (dataset / "train_label").iterdir():
        Image.fromarray(colors[np.asarray(Image.open(path))]).save(coloured / path.name)
    palette = tmp_path / "colours.csv"
    palette.write_text("color,name\n#ff0000,a\n#00ff00,b\n#0000ff,c\n#090909,d\n")
    options = ("--palette", palette, "--class-names", "a,b,c,d", "--limit", 4)
    folders = ("--label-dir", coloured, "--image-dir", dataset / "train_img")
    result = train("-o", tmp_path / "run", *folders, *options)
    assert result.exit_code == 0, result.output
    assert "custom: 4 samples, 4 classes" in result.stderr


@pytest.mark.parametrize("arguments", [("--dataset", "imagenet"), ("--limit", 0), ("--ade20k-ids", "odd")])
def test_an_option_that_cannot_be_used_is_a_bad_configuration(train: Train, arguments: tuple[object, ...]) -> None:
    result = train(*arguments, "--print-config")
    assert f"Invalid value for '{arguments[0]}'" in refusal(result)


def test_a_wrong_setting_is_not_put_down_to_the_file_alone(train: Train, short_config: Path) -> None:
    line = refusal(train("--set", "generator.chanels=4"))
    assert line.startswith(f"{short_config} and the options: generator: unknown key 'chanels'")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_accumulation_recomputation_and_half_precision_train_too(train: Train, tmp_path: Path, precision: str) -> None:
    options = ("--accumulation", 2, "--precision", precision, "--set", "recomputation=true")
    result = train("-o", tmp_path / "run", *options)
    assert result.exit_code == 0, result.output
    assert f"accumulation 2, {precision}" in result.stderr


def test_a_pix2pixhd_generator_trains_and_rates_fall_as_published(
    spade: Callable[..., Result], train: Train, tmp_path: Path
) -> None:
    intervals = ("--set", "intervals.log=7", "--set", "intervals.checkpoint=1000")
    options = ("--set", "pix2pixhd={base_channels=2, blocks=1}", "--decay-epochs", 2, *intervals)
    result = train("-o", tmp_path / "run", *options)
    assert result.exit_code == 0, result.output
    # The last line comes at the end, before the last checkpoint, and is of the last epoch.
    assert [line["step"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")] == [4, 7, 11, 12]
    rates = {line["epoch"]: line["learning_rates"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")}
    assert [rates[epoch]["generator"] for epoch in (1, 2, 3)] == [1e-4, 1e-4, 0.5e-4]
    assert [rates[epoch]["discriminator"] for epoch in (1, 2, 3)] == [4e-4, 4e-4, 2e-4]

    assert spade("export", "run", tmp_path / "run", "--published", tmp_path / "published").exit_code == 0
    assert "model.1.0.weight" in torch.load(tmp_path / "published" / "latest_net_G.pth", weights_only=True)
    refused = spade("export", "run", tmp_path / "run", "--model", "mine", "--models-dir", tmp_path / "models")
    assert "a pix2pixHD generator; the service knows SPADE's only" in refusal(refused, exit_code=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "optimiser.rate=1"], "unknown key 'optimiser'; known keys are batch_size"),
        (["--set", "optimizer.learning_rate=nan"], "learning_rate: expected a finite number, found nan"),
        (["--set", "losses.kl=inf"], "losses: kl: expected a finite number, found inf"),
        (["--seed", 2**63], f"seed is {2**63}; it must be at most {2**63 - 1}"),
        (["--set", "nonsense"], "--set nonsense: write KEY=VALUE"),
        (["--batch-size", 9], "the dataset has 8 samples, which do not fill one step of batch_size 9"),
        (["--batch-size", 3, "--accumulation", 2], "it must be a multiple of 2"),
        (["--dataroot", "/nowhere"], "/nowhere/train_label: there is no such folder"),
        (["--device", "cuda"], "device 'cuda' was asked for, but this machine"),
        (["--vgg19", "/nowhere.pth"], "/nowhere.pth: there is no such file"),
        (["--checkpoints", "s3://bucket/run"], "need the environment variable SPADE_S3_ENDPOINT"),
        (["--label-nc", 3], "ids that are not of this dataset: 3"),
    ],
)
def test_what_cannot_be_used_is_answered_by_one_line(
    train: Train, tmp_path: Path, arguments: list[object], message: str
) -> None:
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("this machine has cuda")
    result = train("-o", tmp_path / "run", *arguments)
    assert message in refusal(result, result.exit_code)
    assert result.exit_code in (1, BAD_CONFIGURATION)


@pytest.mark.parametrize("content", [None, "id,color\n0,red\n"])
def test_a_palette_that_cannot_be_used_is_a_bad_configuration(
    train: Train, tmp_path: Path, content: str | None
) -> None:
    palette = tmp_path / "palette.csv"
    if content is not None:
        palette.write_text(content)
    line = refusal(train("-o", tmp_path / "run", "--set", f"dataset.palette={palette}"))
    assert line.startswith(f"{palette}: ")


def test_the_results_need_a_folder(train: Train) -> None:
    assert refusal(train()) == "say where the results go: -o FOLDER"
