"""The label maps that come with the program."""

import numpy as np
import pytest
from PIL import Image

from deploy.examples import Example, example_label_maps
from model_store.registry import Registry


@pytest.mark.parametrize("example", example_label_maps(), ids=lambda example: example.path.stem)
def test_an_example_has_the_ids_the_colours_and_the_size_of_its_model(example: Example) -> None:
    card = Registry(None).card(example.model)
    with Image.open(example.path) as image:
        palette = image.getpalette()
        ids = np.asarray(image)
        assert image.mode == "P"
    assert palette is not None
    assert ids.shape == (card.height, card.width)
    for class_id in np.unique(ids).tolist():
        color = "#" + bytes(palette[3 * class_id : 3 * class_id + 3]).hex()
        assert color == card.classes[class_id].color


@pytest.mark.parametrize("example", example_label_maps(), ids=lambda example: example.path.stem)
def test_an_example_names_at_least_two_styles_that_its_model_has(example: Example) -> None:
    assert len(example.styles) >= 2
    assert set(example.styles) <= Registry(None).card(example.model).styles_by_name.keys()


def test_the_examples_show_at_least_four_maps_and_two_models() -> None:
    examples = example_label_maps()
    assert len(examples) >= 4
    assert len({example.model for example in examples}) == 2
