"""Who learns from which samples, and with which noise."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from spade.data.errors import DatasetError
from spade.data.samples import SampleKey
from spade.training.distributed import Processes
from spade.training.feed import Feed, open_feed
from spade.training.noise import SampleNoise
from spade.training.presets import complete_config

CPU = torch.device("cpu")


@pytest.fixture
def feed(drawn_samples: Callable[[int], Any]) -> Callable[..., Feed]:
    def build(
        *, rank: int = 0, count: int = 1, micro_batch_size: int = 2, accumulation: int = 1, shuffle: bool = True
    ) -> Feed:
        return Feed(
            dataset=drawn_samples(11),
            length=11,
            fingerprint="drawn",
            work=None,
            seed=5,
            processes=Processes(device=CPU, rank=rank, count=count),
            micro_batch_size=micro_batch_size,
            accumulation=accumulation,
            workers=0,
            shuffle=shuffle,
        )

    return build


def test_processes_and_micro_batches_share_out_the_batch_of_one_process(feed: Callable[..., Feed]) -> None:
    alone = [step.keys for step in feed(micro_batch_size=4).steps(1, 0)]
    both = [
        [*first.keys, *second.keys]
        for first, second in zip(
            feed(rank=0, count=2, micro_batch_size=1, accumulation=2).steps(1, 0),
            feed(rank=1, count=2, micro_batch_size=1, accumulation=2).steps(1, 0),
            strict=True,
        )
    ]
    assert [{(k.epoch, k.index) for k in keys} for keys in alone] == [
        {(k.epoch, k.index) for k in keys} for keys in both
    ]
    assert len(alone) == 11 // 4


def test_keys_are_those_of_the_samples_in_their_order(feed: Callable[..., Feed]) -> None:
    for step in feed(accumulation=2).steps(3, 0):
        names = [name for batch in step.micro_batches for name in batch.names]
        assert names == [str(key.index) for key in step.keys]


def test_without_shuffling_every_epoch_has_the_order_of_the_files(feed: Callable[..., Feed]) -> None:
    for epoch in (1, 2):
        assert [key.index for step in feed(shuffle=False).steps(epoch, 0) for key in step.keys] == list(range(10))
    orders = [[key.index for step in feed().steps(epoch, 0) for key in step.keys] for epoch in (1, 2)]
    assert orders[0] != orders[1]
    assert not open_feed(
        complete_config({"dataset": {"mode": "scenes"}, "shuffle": False}), Processes(device=CPU)
    ).shuffle


def test_an_epoch_goes_on_from_where_it_was_left(feed: Callable[..., Feed]) -> None:
    whole = list(feed().steps(2, 0))
    rest = list(feed().steps(2, 6))
    assert [step.keys for step in rest] == [step.keys for step in whole[3:]]
    assert torch.equal(rest[0].micro_batches[0].pictures, whole[3].micro_batches[0].pictures)
    assert list(feed().steps(2, 10)) == []


def test_fixed_samples_are_the_same_in_every_call_and_no_more_than_there_are(feed: Callable[..., Feed]) -> None:
    first, second = list(feed().fixed(3)), list(feed().fixed(3))
    assert [step.keys for step in first] == [step.keys for step in second]
    assert len(list(feed().fixed(100))) == 5


def test_a_dataset_smaller_than_a_step_is_refused(feed: Callable[..., Feed]) -> None:
    with pytest.raises(DatasetError, match="11 samples, which do not fill one step of batch_size 12"):
        feed(micro_batch_size=6, accumulation=2)


def test_noise_depends_on_sample_epoch_and_pass_alone() -> None:
    keys = [SampleKey(1, 4), SampleKey(1, 7)]
    noise = SampleNoise(seed=3, latent_dim=5, device=CPU)
    noise.expect(keys)
    together, again = noise(2), noise(2)
    noise.expect([keys[1]])
    assert torch.equal(noise(1)[0], together[1])
    assert not torch.equal(together, again)
    noise.expect([SampleKey(2, 4)])
    assert not torch.equal(noise(1)[0], together[0])


def test_an_epoch_of_which_more_was_taken_than_there_is_now_is_over(feed: Callable[..., Feed]) -> None:
    assert list(feed().steps(2, 14)) == []
