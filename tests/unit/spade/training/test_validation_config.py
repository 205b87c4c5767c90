"""How a run stands after looks at validation samples."""

import math

import pytest

from spade.errors import ConfigError
from spade.training.validation_config import Standing, ValidationConfig


def test_a_look_that_came_to_no_number_is_never_the_best() -> None:
    first = Standing().after(math.nan, pictures=4)
    assert first == Standing(best=None, worse_looks=1, pictures=4)
    assert not first.is_best
    assert first.after(3.0, pictures=8) == Standing(best=3.0, pictures=8)
    assert Standing(best=3.0).after(math.inf, pictures=4) == Standing(best=3.0, worse_looks=1, pictures=4)


def test_a_segmenter_without_a_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^validation: segmenter is '', no name of a file; name one of spade train-"):
        ValidationConfig(segmenter="")


def test_a_best_state_is_that_of_looks_under_the_same_terms_or_of_better_ones_after_them() -> None:
    standing = Standing(best=5.0, terms="a")
    for best, is_met in ((5.0, True), (4.0, True), (6.0, False), (None, False)):
        assert standing.is_met_by(Standing(best=best, terms="a")) is is_met
    assert not standing.is_met_by(Standing(best=5.0, terms="b"))
    assert Standing(terms="a").is_met_by(standing)
