"""`spade import-published`: files and folders of published training become files and models of ours."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

from model_store.cli import spade
from model_store.loading import load_described_encoder, load_synthesizer
from model_store.registry import Registry
from spade.checkpoint import load_generator
from spade.config import EncoderConfig, GeneratorConfig, Norm, Upsampling
from spade.encoder import ImageEncoder
from spade.generator import SpadeGenerator
from spade.published import published_encoder_name, published_name

Publish = Callable[..., Path]

OPTIONS = """\
----------------- Options ---------------
               aspect_ratio: 2.0                           \t[default: 1.0]
     contain_dontcare_label: False                         \t[default: False]
                  crop_size: 128                           \t[default: 512]
               dataset_mode: cityscapes                    \t[default: coco]
                   label_nc: 35                            \t[default: 182]
                       name: label2city
                       netG: spade
                        ngf: 1                             \t[default: 64]
                no_instance: False
                     norm_G: spectralspadesyncbatch3x3     \t[default: spectralinstance]
      num_upsampling_layers: normal
                  output_nc: 3
                    use_vae: True                          \t[default: False]
                      z_dim: 8                             \t[default: 256]
----------------- End -------------------
"""


@pytest.fixture
def published(tmp_path: Path) -> Publish:
    """A folder as published training leaves it, of a small network for Cityscapes with a latent."""

    def write(options: str = OPTIONS, *, encoder: bool = True, **changes: object) -> Path:
        folder = tmp_path / "label2city"
        folder.mkdir()
        torch.manual_seed(1)
        config = {
            "label_nc": 35,
            "instance_edges": True,
            "dont_care": False,
            "height": 64,
            "width": 128,
            "base_channels": 1,
            "latent_dim": 8,
            "norm": Norm.SYNCBATCH,
            "spectral_norm": True,
            "upsampling": Upsampling.NORMAL,
        }
        generator = SpadeGenerator(GeneratorConfig(**(config | changes)))  # type: ignore[arg-type]
        _save(generator, published_name, folder / "latest_net_G.pth")
        if encoder:
            image_encoder = ImageEncoder(EncoderConfig(latent_dim=8, base_channels=2))
            _save(image_encoder, published_encoder_name, folder / "latest_net_E.pth")
        if options:
            (folder / "opt.txt").write_text(options)
        return folder

    return write


def _save(network: nn.Module, name: Callable[[str], str], path: Path) -> None:
    torch.save({name(own): tensor for own, tensor in network.state_dict().items()}, path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(spade, ["import-published", *map(str, arguments)], terminal_width=200)


def test_a_folder_becomes_a_model_with_its_classes_and_encoder(published: Publish, tmp_path: Path) -> None:
    folder, models = published(), tmp_path / "models"
    result = run(folder, "--model", "city@3", "--models-dir", models, "--licence", "research use", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["model"] == str(models / "city" / "3")
    registry = Registry(models)
    card = registry.resolve("city@3")
    assert (card.width, card.height, card.licence, card.data) == (128, 64, "research use", "cityscapes")
    assert [card.classes[number].name for number in (7, 23, 33)] == ["road", "sky", "bicycle"]
    assert card.classes[7].color == "#804080"
    assert load_synthesizer(registry, card) is not None
    imported = load_described_encoder(registry, card).state_dict()
    assert torch.equal(imported["mean.bias"], torch.load(folder / "latest_net_E.pth")["fc_mu.bias"])


@pytest.mark.parametrize(
    ("dataset", "label_nc", "form", "names"),
    [
        ("coco", 182, {"dont_care": True, "instance_edges": True}, {0: "person", 156: "sky-other"}),
        ("ade20k", 150, {"dont_care": True, "instance_edges": False}, {0: "unlabelled", 3: "sky", 149: "clock"}),
        ("facades", 13, {"dont_care": False, "instance_edges": False}, {3: "window"}),
    ],
)
def test_classes_are_those_of_the_dataset(
    published: Publish, tmp_path: Path, dataset: str, label_nc: int, form: dict[str, bool], names: dict[int, str]
) -> None:
    folder = published("", encoder=False, label_nc=label_nc, height=256, width=256, latent_dim=None, **form)
    result = run(folder, "--dataset", dataset, "--model", "mine", "--models-dir", tmp_path / "models", "--half")
    assert result.exit_code == 0, result.output
    card = Registry(tmp_path / "models").resolve("mine@1")
    assert {number: card.classes[number].name for number in names} == names
    assert card.encoder is None
    assert ("flag, has the id 150" in card.description) == (dataset == "ade20k")


def test_classes_of_an_unknown_dataset_are_numbered(published: Publish, tmp_path: Path) -> None:
    folder = published(OPTIONS.replace("cityscapes", "custom    "))
    assert run(folder, "--model", "mine", "--models-dir", tmp_path / "models").exit_code == 0
    assert Registry(tmp_path / "models").resolve("mine").classes[34].name == "class 34"


def test_a_file_is_converted(published: Publish, tmp_path: Path) -> None:
    output = tmp_path / "new" / "mine.safetensors"
    settings = ["--label-nc", 35, "--no-dont-care", "--size", "128x64"]
    result = run(published() / "latest_net_G.pth", "-o", output, *settings)
    assert result.exit_code == 0, result.output
    assert "label_nc 35, dont_care False, instance_edges True, height 64, width 128" in result.stdout
    config = load_generator(output).config
    assert (config.label_nc, config.width, config.height) == (35, 128, 64)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("nothing\n", "opt.txt: it holds no line like `label_nc: 182`"),
        (OPTIONS.replace("netG: spade", "netG: pix2pixhd"), "opt.txt: netG is pix2pixhd; only spade can be imported"),
        (OPTIONS.replace("crop_size", "crop"), "opt.txt: option 'crop_size' is missing"),
        (OPTIONS.replace("crop_size: 128", "crop_size: 128.0"), "'crop_size' is 128.0; it must be a whole number"),
        (
            OPTIONS.replace("label: False", "label: maybe"),
            "'contain_dontcare_label' is 'maybe'; it must be True or False",
        ),
        (OPTIONS.replace("cityscapes", "123"), "opt.txt: option 'dataset_mode' is 123; it must be a word, as in coco"),
        (OPTIONS.replace("label_nc: 35", "label_nc: 34"), "36 semantic channels, which does not fit label_nc 34"),
        ("", "which of the 36 semantic channels are classes: give --dataset"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(
    published: Publish, tmp_path: Path, options: str, told: str
) -> None:
    result = run(published(options), "--model", "mine", "--models-dir", tmp_path / "models")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "models").exists()


def test_a_generator_in_place_of_the_encoder_is_told(published: Publish, tmp_path: Path) -> None:
    folder = published(encoder=False)
    (folder / "latest_net_E.pth").write_bytes((folder / "latest_net_G.pth").read_bytes())
    result = run(folder, "--model", "mine", "--models-dir", tmp_path / "models")
    assert result.exit_code == 1
    assert result.stderr == (f"Error: {folder}/latest_net_E.pth: not an encoder: tensor layer1.0.weight is missing\n")


@pytest.mark.parametrize("size", ["256", "0x256", "256x", "256 x 256", "999999x1"])
def test_a_size_that_is_none_is_bad_usage(tmp_path: Path, size: str) -> None:
    result = run(tmp_path / "x.pth", "-o", tmp_path / "x.safetensors", "--size", size)
    assert result.exit_code == 2
    assert "write width x height in pixels" in result.stderr


def test_something_must_be_written(tmp_path: Path) -> None:
    result = run(tmp_path / "x.pth")
    assert result.exit_code == 2
    assert "-o FILE.safetensors, or --model NAME@VERSION" in result.stderr
