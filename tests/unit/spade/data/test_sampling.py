"""Which samples a process takes: all of them, once, and resumable."""

import itertools

import pytest

from spade.data.samples import SampleKey
from spade.data.sampling import EpochSampler
from spade.errors import ConfigError


def taken(**values):
    return [key.index for key in EpochSampler(**{"length": 10, "seed": 1, "epoch": 0} | values)]


def test_an_epoch_takes_every_sample_once():
    assert sorted(taken()) == list(range(10))
    assert taken() != list(range(10))


def test_keys_carry_the_epoch():
    assert list(EpochSampler(length=1, seed=0, epoch=4)) == [SampleKey(4, 0)]


def test_order_depends_on_seed_and_epoch_only():
    assert taken() == taken()
    assert len({tuple(taken(seed=seed, epoch=epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_without_shuffling_samples_come_in_order():
    assert taken(shuffle=False) == list(range(10))


def test_processes_share_the_order_by_turns():
    parts = [taken(rank=rank, world_size=2) for rank in range(2)]
    assert [index for pair in zip(*parts, strict=True) for index in pair] == taken()


def test_every_process_takes_equally_many_unless_all_are_wanted():
    assert [len(taken(rank=rank, world_size=3)) for rank in range(3)] == [3, 3, 3]
    uneven = [taken(rank=rank, world_size=3, even=False) for rank in range(3)]
    assert sorted(itertools.chain(*uneven)) == list(range(10))


@pytest.mark.parametrize("world_size", [1, 2, 5])
def test_an_epoch_resumes_where_it_was_left_even_by_other_processes(world_size):
    rest = [taken(start=4, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert set(itertools.chain(*rest)) <= set(taken()[4:])
    assert sum(map(len, rest)) == 6 // world_size * world_size


@pytest.mark.parametrize("values", [{}, {"start": 3}, {"start": 10}, {"rank": 2, "world_size": 3, "even": False}])
def test_the_length_is_how_many_are_taken(values):
    assert len(EpochSampler(**{"length": 10, "seed": 1, "epoch": 0} | values)) == len(taken(**values))


@pytest.mark.parametrize(
    "values", [{"rank": 1}, {"rank": -1}, {"start": 11}, {"start": -1}, {"epoch": -1}, {"seed": -1}]
)
def test_values_out_of_range_are_refused(values):
    with pytest.raises(ConfigError):
        taken(**values)
