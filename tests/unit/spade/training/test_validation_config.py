"""How a run stands after looks at validation samples."""

import math

from spade.training.validation_config import Standing


def test_a_look_that_came_to_no_number_is_never_the_best() -> None:
    first = Standing().after(math.nan, pictures=4)
    assert first == Standing(best=None, worse_looks=1, pictures=4)
    assert not first.is_best
    assert first.after(3.0, pictures=8) == Standing(best=3.0, pictures=8)
    assert Standing(best=3.0).after(math.inf, pictures=4) == Standing(best=3.0, worse_looks=1, pictures=4)
