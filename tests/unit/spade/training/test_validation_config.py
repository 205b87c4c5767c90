"""How a run stands after looks at validation samples."""

import math

from spade.training.validation_config import Standing


def test_a_look_that_came_to_no_number_is_never_the_best() -> None:
    first = Standing().after(math.nan)
    assert first == Standing(best=None, worse_looks=1)
    assert not first.is_best
    assert first.after(3.0) == Standing(best=3.0)
    assert Standing(best=3.0).after(math.inf) == Standing(best=3.0, worse_looks=1)
