"""A run with an encoder becomes a model with styles: presets from pictures, and those that users bring along."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from model_store.registry import Registry
from support.refusals import refusal


@pytest.fixture
def vae_run(train: Callable[..., Result], tmp_path: Path) -> Path:
    result = train("--vae", "--epochs", 1, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    return tmp_path / "run"


@pytest.fixture
def sunsets(tmp_path: Path) -> Path:
    """A folder of two pictures."""
    folder = tmp_path / "sunsets"
    folder.mkdir()
    for name, color in (("a.png", "red"), ("b.jpg", "orange")):
        fading = Image.linear_gradient("L").resize((64, 64))
        Image.composite(Image.new("RGB", (64, 64), color), Image.new("RGB", (64, 64)), fading).save(folder / name)
    return folder


def test_styles_are_read_from_pictures_and_make_pictures(
    spade: Callable[..., Result], train: Callable[..., Result], vae_run: Path, sunsets: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    options = ("--models-dir", models, "--device", "cpu")
    styles = ("--style", f"sunset={sunsets}", "--style", f"one={sunsets / 'a.png'}")
    result = spade("export", "run", vae_run, "--model", "mine@1", "--half", *styles, *options)
    assert result.exit_code == 0, result.output
    card = Registry(models).resolve("mine")
    assert [style.name for style in card.styles] == ["sunset", "one"]
    assert card.encoder is not None

    finer = train("--vae", "--start-from", models / "mine" / "1", "-o", tmp_path / "finer")
    assert finer.exit_code == 0, finer.output
    assert f"encoder: starts from {models}/mine/1/encoder.safetensors" in finer.stderr

    label_map = tmp_path / "map.png"
    Image.fromarray(np.tile(np.arange(4, dtype=np.uint8), (64, 16))).save(label_map)
    choices = (
        ("sunset", ("--style", "sunset")),
        ("one", ("--style", "one")),
        ("same", ("--style-image", sunsets / "a.png", "--seed", 3)),
        ("seed", ()),
        ("blend", ("--style", "one:sunset:0.5")),
        ("end", ("--style", "sunset:one:1")),
    )
    pictures = {}
    for name, choice in choices:
        made = spade("synthesize", "mine", label_map, "-o", tmp_path / name, *choice, *options)
        assert made.exit_code == 0, made.output
        pictures[name] = np.asarray(Image.open(tmp_path / name / "map.png")).astype(int)
    assert np.abs(pictures["one"] - pictures["same"]).max() <= 1  # a card rounds what it says
    assert np.abs(pictures["one"] - pictures["end"]).max() <= 1
    assert len({pictures[name].tobytes() for name in ("sunset", "one", "seed", "blend")}) == 4

    unknown = spade("synthesize", "mine", label_map, "-o", tmp_path / "x", "--style", "noir", *options)
    assert refusal(unknown, exit_code=1) == "the model mine@1 has no style 'noir'; it has: sunset, one"
    no_picture = spade(
        "synthesize", "mine", label_map, "-o", tmp_path / "x", "--style-image", vae_run / "config.toml", *options
    )
    assert "config.toml: it is no PNG, JPEG or WebP" in refusal(no_picture, exit_code=1)


def test_styles_need_an_encoder_and_pictures(
    spade: Callable[..., Result], vae_run: Path, finished_run: Path, sunsets: Path, tmp_path: Path
) -> None:
    options = ("--model", "mine@1", "--models-dir", tmp_path / "models", "--device", "cpu")
    none = spade("export", "run", finished_run, "--style", f"s={sunsets}", *options)
    assert "a run without an encoder (--vae)" in refusal(none, exit_code=1)
    (tmp_path / "empty").mkdir()
    empty = spade("export", "run", vae_run, "--style", f"s={tmp_path / 'empty'}", *options)
    assert "style 's': there is no picture in" in refusal(empty, exit_code=1)
    unreadable = spade("export", "run", vae_run, "--style", f"s={vae_run / 'config.toml'}", *options)
    assert "style 's':" in refusal(unreadable, exit_code=1)
    assert spade("export", "run", vae_run, "--style", "s=/nowhere", *options).exit_code == 2
    assert not (tmp_path / "models" / "mine").exists()
