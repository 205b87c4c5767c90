"""Training on COCO-Stuff with many GPUs: what a step computes and exchanges, and how long both take on stated links.

Parameters, bytes and operations are counted on the real networks; speeds of GPUs and links are assumptions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.bench.gpu_rates import SUSTAINED_TFLOPS
from deploy.bench.load_report import TitledTable
from deploy.bench.scaling_serving import Price

if TYPE_CHECKING:
    from spade.benchmarks.exchange import ExchangeFigures

GPUS: Final = (8, 32, 128)
_GPUS_PER_NODE: Final = 8
_MICRO_BATCH: Final = 4
"""Pictures of one GPU in a step."""
_TRAINING_PICTURES: Final = 118_287
"""Of COCO-Stuff (train2017)."""
_READING_SECONDS: Final = 0.0206
"""Processor seconds of a pair of label map and photograph, by `spade bench data`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Between the GPUs, or the nodes, of a ring; both figures are assumptions."""

    name: str
    gigabytes_per_second: float
    """In one direction, of a GPU with NVLink, otherwise of a whole node."""
    latency_us: float
    """Of one small exchange between all."""
    between_nodes: bool = True


LINKS: Final = (
    Link(name="NVLink, 300 GB/s a GPU", gigabytes_per_second=300, latency_us=30, between_nodes=False),
    Link(name="InfiniBand, 8 x 400 Gbit/s a node", gigabytes_per_second=400, latency_us=60),
    Link(name="Ethernet, 100 Gbit/s a node", gigabytes_per_second=12.5, latency_us=200),
    Link(name="Ethernet, 25 Gbit/s a node", gigabytes_per_second=3.125, latency_us=200),
)


def exchange_of_coco() -> "ExchangeFigures":
    """Count the networks that are published for COCO-Stuff at 256x256."""
    from spade.benchmarks.exchange import count_exchange  # it loads torch
    from spade.config import GeneratorConfig
    from spade.data.presets import coco

    dataset = coco("nowhere").dataset  # which is not read
    return count_exchange(
        GeneratorConfig(
            label_nc=dataset.label_nc,
            dont_care=dataset.dont_care,
            instance_edges=dataset.instance_edges,
            height=256,
            width=256,
        )
    )


def exchange_table(counted: "ExchangeFigures") -> TitledTable:
    """What is counted."""
    rows: list[tuple[str, ...]] = [
        ("parameters of the generator", f"{counted.generator_parameters:,}"),
        ("parameters of the discriminator", f"{counted.discriminator_parameters:,}"),
        ("gradients of a step, float32", f"{counted.gradient_bytes_float32 / 1e6:,.1f} MB"),
        ("the same in bfloat16", f"{counted.gradient_bytes_bfloat16 / 1e6:,.1f} MB"),
        ("exchanges of batch statistics in a step", f"{counted.statistics_exchanges}"),
        ("bytes of them that a process sends", f"{counted.statistics_bytes:,}"),
        ("operations of a picture, plain, forward and backward", f"{counted.operations_per_picture / 1e9:,.0f} Gflop"),
    ]
    return "One step", ("counted", "value"), rows


def ring_table(counted: "ExchangeFigures") -> TitledTable:
    """What each GPU sends, and how long that takes, if nothing else is done meanwhile."""
    columns = ("GPUs", "sent by each, float32", "bfloat16", *(f"{link.name}: ms" for link in LINKS))
    rows = [
        (
            f"{gpus}",
            f"{counted.ring_bytes(gpus, counted.gradient_bytes_float32) / 1e6:,.0f} MB",
            f"{counted.ring_bytes(gpus, counted.gradient_bytes_bfloat16) / 1e6:,.0f} MB",
            *(_milliseconds(counted, gpus, link) for link in LINKS),
        )
        for gpus in GPUS
    ]
    return "Gradients and statistics of a step, in float32", columns, rows


def _milliseconds(counted: "ExchangeFigures", gpus: int, link: Link) -> str:
    if link.between_nodes == (gpus <= _GPUS_PER_NODE):
        return ""
    return f"{1000 * exchange_seconds(counted, gpus, link):.1f}"


def exchange_seconds(counted: "ExchangeFigures", gpus: int, link: Link) -> float:
    """Of the gradients in one ring, and of the statistics one after the other."""
    gradients = counted.ring_bytes(gpus, counted.gradient_bytes_float32) / (link.gigabytes_per_second * 1e9)
    return gradients + counted.statistics_exchanges * link.latency_us / 1e6


def compute_seconds(counted: "ExchangeFigures", tflops: float) -> float:
    """Of one GPU in a step."""
    return _MICRO_BATCH * counted.operations_per_picture / (tflops * 1e12)


def training_tables(counted: "ExchangeFigures", price: Price) -> Iterator[TitledTable]:
    """Compute beside communication, and what an epoch takes. Nothing overlaps: the worst that these figures give."""
    columns = (
        *("a GPU sustains, TFLOP/s (assumed)", f"computes a step of {_MICRO_BATCH} pictures, ms"),
        *(f"share of a step lost: {link.name}, {_gpus_of(link)} GPUs" for link in LINKS),
    )
    rows = []
    for tflops in SUSTAINED_TFLOPS:
        compute = compute_seconds(counted, tflops)
        talks = [exchange_seconds(counted, _gpus_of(link), link) for link in LINKS]
        rows.append((f"{tflops}", f"{1000 * compute:,.0f}", *(f"{talk / (compute + talk):.1%}" for talk in talks)))
    yield "Compute beside communication", columns, rows

    columns = (
        *("GPUs", "pictures a step", "pictures/s", "an epoch, hours", "GPU-hours of an epoch"),
        *("cost of an epoch", "cores that read pairs"),
    )
    yield "An epoch, GPUs of middle speed", columns, [_epoch(counted, gpus, price) for gpus in GPUS]


def _gpus_of(link: Link) -> int:
    return GPUS[-1] if link.between_nodes else _GPUS_PER_NODE


def _epoch(counted: "ExchangeFigures", gpus: int, price: Price) -> tuple[str, ...]:
    link = LINKS[1] if gpus > _GPUS_PER_NODE else LINKS[0]
    step = compute_seconds(counted, SUSTAINED_TFLOPS[1]) + exchange_seconds(counted, gpus, link)
    rate = gpus * _MICRO_BATCH / step
    hours = _TRAINING_PICTURES / rate / 3600
    return (
        f"{gpus}",
        f"{gpus * _MICRO_BATCH}",
        f"{rate:,.0f}",
        f"{hours:.3f}",
        f"{gpus * hours:.2f}",
        f"{gpus * hours * price.gpu_hour:.2f}",
        f"{rate * _READING_SECONDS:,.1f}",
    )
