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


def test_every_process_takes_equally_many():
    assert [len(taken(rank=rank, world_size=3)) for rank in range(3)] == [3, 3, 3]


def test_the_samples_of_a_step_are_shared_out_so_that_processes_have_about_as_much_work():
    work = [9, 1, 1, 1, 8, 2, 7, 1, 3, 9]
    shares = [taken(shuffle=False, rank=rank, world_size=2, batch_size=4, work=work) for rank in range(2)]
    assert [sum(work[index] for index in share[:4]) for share in shares] == [13, 17]
    assert sorted(shares[0][:4] + shares[1][:4]) == list(range(8))
    assert sorted(shares[0][4:] + shares[1][4:]) == [8, 9]


@pytest.mark.parametrize("start", [0, 3])
def test_sharing_work_out_leaves_every_step_its_samples(start):
    options = {"world_size": 2, "batch_size": 2, "start": start}
    shares = [taken(rank=rank, work=[*range(10)], **options) for rank in range(2)]
    in_turn = [taken(rank=rank, **options) for rank in range(2)]
    for first in range(0, len(in_turn[0]), 2):
        step, expected = ({index for share in each for index in share[first : first + 2]} for each in (shares, in_turn))
        assert step == expected


@pytest.mark.parametrize("world_size", [1, 2, 5])
def test_an_epoch_resumes_where_it_was_left_even_by_other_processes(world_size):
    rest = [taken(start=4, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert set(itertools.chain(*rest)) <= set(taken()[4:])
    assert sum(map(len, rest)) == 6 // world_size * world_size


@pytest.mark.parametrize("values", [{}, {"start": 3}, {"start": 10}, {"rank": 2, "world_size": 3}])
def test_the_length_is_how_many_are_taken(values):
    assert len(EpochSampler(**{"length": 10, "seed": 1, "epoch": 0} | values)) == len(taken(**values))


@pytest.mark.parametrize(
    "values",
    [
        {"rank": 1},
        {"rank": -1},
        {"start": 11},
        {"start": -1},
        {"epoch": -1},
        {"seed": -1},
        {"batch_size": 0},
        {"work": [1]},
    ],
)
def test_values_out_of_range_are_refused(values):
    with pytest.raises(ConfigError):
        taken(**values)
