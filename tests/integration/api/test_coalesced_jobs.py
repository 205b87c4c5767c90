"""Jobs over HTTP that ask for the same picture."""

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from api.services import Services
from support.jobs import claim, finish


@pytest.mark.parametrize(
    ("second", "handed_out"), [({"seed": 1}, 1), ({"seed": 2}, 2), ({"seed": 1, "size": "64x64"}, 1)]
)
def test_the_same_picture_is_not_handed_out_twice(
    post: Callable[..., TestResponse], services: Services, second: dict[str, object], handed_out: int
) -> None:
    post(seed=1)
    post(**second)
    batch = claim(services.job_store).batch
    assert batch is not None
    assert len(batch.items) == handed_out


def test_variations_are_other_pictures_and_one_map_sent_twice_is_one(
    post: Callable[..., TestResponse], services: Services, label_map: bytes
) -> None:
    post([label_map, label_map], seed=1, variations=2)
    batch = claim(services.job_store).batch
    assert batch is not None
    assert [item.index for item in batch.items] == [0, 1]
    finish(services.job_store, batch)
    twins = claim(services.job_store).batch
    assert twins is not None
    assert [item.twin is not None for item in twins.items] == [True, True]
