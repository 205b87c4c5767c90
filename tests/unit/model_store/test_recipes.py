"""The recipes of the models that ship."""

from pathlib import Path

import pytest

import model_store
from spade.checkpoint import empty_generator
from spade.training.presets import complete_config
from spade.training.toml_files import read_toml

RECIPES = sorted((Path(model_store.__file__).parent / "recipes").glob("*.toml"))
MOST_BYTES = 20e6
"""Of a weights file that ships."""


def test_there_are_recipes() -> None:
    assert [path.stem for path in RECIPES] == ["landscape", "street"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_makes_a_model_that_is_small_enough_to_ship(path: Path) -> None:
    config = complete_config(read_toml(path), where=str(path))
    assert len(config.dataset.class_names) == config.dataset.label_nc
    weights = sum(parameter.numel() for parameter in empty_generator(config.generator).parameters())
    assert 2 * weights < MOST_BYTES  # float16


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_ends_when_its_judge_sees_nothing_better(path: Path) -> None:
    validation = complete_config(read_toml(path), where=str(path)).validation
    assert validation is not None
    assert validation.patience is not None
    assert (Path(model_store.__file__).parents[1] / validation.segmenter).is_file()
