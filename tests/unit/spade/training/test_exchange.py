"""What processes exchange is counted on shapes alone; here a real step of one of two processes is watched."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.distributed
from torch.testing._internal.distributed.fake_pg import FakeStore  # a group whose other processes agree with this one

from spade.benchmarks.exchange import count_exchange
from spade.benchmarks.iteration import training_step
from spade.config import GeneratorConfig, Norm
from spade.data.samples import TrainingBatch
from spade.training.step import StepConfig
from support.generators import small_config

COCO = GeneratorConfig(label_nc=182, dont_care=True, instance_edges=True, height=256, width=256)


@contextmanager
def one_of_two(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Bytes of each exchange of this process, while it is one of two."""
    exchanges: list[int] = []

    def watched(call: Callable[..., object], at: int) -> Callable[..., object]:
        def watch(*arguments: Any, **options: Any) -> object:
            exchanges.append(arguments[at].numel() * arguments[at].element_size())
            return call(*arguments, **options)

        return watch

    torch.distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    monkeypatch.setattr(torch.distributed, "all_gather", watched(torch.distributed.all_gather, 1))
    monkeypatch.setattr(torch.distributed, "all_reduce", watched(torch.distributed.all_reduce, 0))
    try:
        yield exchanges
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize("norm", [Norm.SYNCBATCH, Norm.BATCH])
def test_statistics_are_exchanged_as_often_as_counted_and_so_many_bytes_of_them(
    monkeypatch: pytest.MonkeyPatch, norm: Norm
) -> None:
    config = small_config(norm=norm)
    counted = count_exchange(config)
    labels = torch.zeros(2, config.height, config.width, dtype=torch.long)
    photographs = torch.zeros(2, 3, config.height, config.width)
    batch = TrainingBatch(labels=labels, instances=labels, pictures=photographs, names=("a", "b"))
    with one_of_two(monkeypatch) as sent:
        training_step(config, 4, StepConfig()).run([batch])
    assert len(sent) == counted.statistics_exchanges
    assert sum(sent) == counted.statistics_bytes


def test_parameters_are_those_of_the_networks_that_are_trained() -> None:
    counted = count_exchange(small_config())
    networks = training_step(small_config(), 64, StepConfig()).networks
    sizes = [sum(p.numel() for p in network.parameters()) for network in (networks.generator, networks.discriminator)]
    assert sizes == [counted.generator_parameters, counted.discriminator_parameters]
    assert counted.gradient_bytes_float32 == 4 * sum(sizes) == 2 * counted.gradient_bytes_bfloat16


def test_a_step_on_coco_computes_what_its_convolutions_are_known_to_need() -> None:
    counted = count_exchange(COCO)
    assert counted.statistics_exchanges == 28
    # Multiply-adds of a generator's pass: 191.1 G in all, 55.6 G of them on semantics, which need no gradient.
    generator = 2 * (3 * 191.1e9 - 55.6e9)
    assert generator < counted.operations_per_picture < 1.3 * generator
