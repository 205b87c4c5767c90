"""How much of everything so many pictures a second need, from figures of one worker and one Redis."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from deploy.bench.gpu_rates import SUSTAINED_TFLOPS, EngineOnCpu, pictures_per_second
from deploy.bench.load_report import TitledTable

PICTURES_PER_SECOND: Final = (1, 100, 10_000)
_BUSY_SHARE: Final = 0.7
"""Of a GPU's time, so that a queue does not grow when demand varies."""
_REDIS_SHARE: Final = 0.6
"""Of one core, likewise."""
_BACKLOG_SECONDS: Final = 60
_WEEK_SECONDS: Final = 7 * 24 * 3600
_GIB: Final = 2**30

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What is paid for a GPU, in any money: an example, which readers replace."""

    gpu_hour: float = 2.0


def gpus_needed(pictures: float, tflops: float) -> int:
    """GPUs for so many pictures a second, each busy for 70 % of its time."""
    return math.ceil(pictures / (_BUSY_SHARE * pictures_per_second(tflops)))


def redis_servers_needed(pictures: float, figures: Figures) -> int:
    """Redis servers, each with 60 % of one core busy with scripts and with workers that look for work."""
    return math.ceil(redis_cores(pictures, figures) / _REDIS_SHARE)


def redis_cores(pictures: float, figures: Figures) -> float:
    """Cores of Redis that so many pictures a second keep busy, and the workers besides."""
    workers = gpus_needed(pictures, SUSTAINED_TFLOPS[1])
    of_pictures = pictures * figures["scheduler"]["rows"][0]["redis_us_per_picture"]
    of_workers = workers * figures["service"]["idle_worker"]["redis_us_per_second"]
    return float(of_pictures + of_workers) / 1e6


def gpu_table() -> TitledTable:
    """Of GPUs, computed."""
    columns = ("a GPU sustains, TFLOP/s (assumed)", "pictures/s of one", *_headings("GPUs for {}/s"))
    rows = [
        (
            f"{tflops}",
            f"{pictures_per_second(tflops):,.0f}",
            *(f"{gpus_needed(p, tflops):,}" for p in PICTURES_PER_SECOND),
        )
        for tflops in SUSTAINED_TFLOPS
    ]
    return "GPUs", columns, rows


def cost_table(price: Price) -> TitledTable:
    """What the GPUs cost, in the unit of the price."""
    columns = ("a GPU sustains, TFLOP/s (assumed)", "a million pictures", *_headings("{}/s, a day"))
    rows = []
    for tflops in SUSTAINED_TFLOPS:
        million = 1e6 / (_BUSY_SHARE * pictures_per_second(tflops)) / 3600 * price.gpu_hour
        days = [24 * gpus_needed(pictures, tflops) * price.gpu_hour for pictures in PICTURES_PER_SECOND]
        rows.append((f"{tflops}", f"{million:,.2f}", *(f"{day:,.0f}" for day in days)))
    return "Costs", columns, rows


def need_table(figures: Figures) -> TitledTable:
    """Of what is not a GPU."""
    memory, service = figures["memory"], figures["service"]
    workers = [gpus_needed(pictures, SUSTAINED_TFLOPS[1]) for pictures in PICTURES_PER_SECOND]
    calls = {kind: _requests(service[kind]) for kind in ("storage_calls_alone", "storage_calls_in_jobs_of_20")}
    batch = figures["scheduler"]["batch_items"]

    def row(name: str, values: Sequence[str]) -> tuple[str, ...]:
        return (name, *values)

    def each(form: str, factor: float) -> list[str]:
        return [form.format(factor * pictures) for pictures in PICTURES_PER_SECOND]

    rows = [
        row("workers, of middle speed", [f"{number:,}" for number in workers]),
        row("claims a second, full batches", each("{:,.1f}", 1 / batch)),
        row("cores of Redis", [f"{redis_cores(pictures, figures):,.3f}" for pictures in PICTURES_PER_SECOND]),
        row("Redis servers at 60 % of a core", [f"{redis_servers_needed(p, figures):,}" for p in PICTURES_PER_SECOND]),
        row("connections to Redis", [f"{number * service['idle_worker']['connections']:,}" for number in workers]),
        row("items waiting after a minute without workers", each("{:,.0f}", _BACKLOG_SECONDS)),
        row("GiB of Redis for them", each("{:,.3f}", _BACKLOG_SECONDS * memory["alone"]["queued"] / _GIB)),
        row("GiB of Redis, ended, kept a week", each("{:,.1f}", _WEEK_SECONDS * memory["alone"]["ended"] / _GIB)),
        row("the same of jobs of fifty", each("{:,.1f}", _WEEK_SECONDS * memory["in_jobs_of_50"]["ended"] / _GIB)),
        row("ended, kept an hour, GiB", each("{:,.2f}", 3600 * memory["alone"]["ended"] / _GIB)),
        row("object-store requests/s, jobs of one", each("{:,.0f}", calls["storage_calls_alone"])),
        row("object-store requests/s, jobs of twenty", each("{:,.0f}", calls["storage_calls_in_jobs_of_20"])),
        row(
            "objects a day, millions, jobs of one", each("{:,.2f}", 86400 * service["storage_calls_alone"]["put"] / 1e6)
        ),
    ]
    return "At so many pictures a second", ("", *_headings("{}/s")), rows


def measured_tables(figures: Figures) -> Iterator[TitledTable]:
    """What the others follow from."""
    memory, service = figures["memory"], figures["service"]
    idle = service["idle_worker"]
    states = ("queued", "running", "ended")
    yield (
        "Bytes of Redis for an item",
        ("", *states),
        [
            (kind.replace("_", " "), *(f"{memory[kind][state]:,.0f}" for state in states))
            for kind in ("alone", "in_jobs_of_50", "in_a_bulk_job")
        ],
    )
    yield (
        "A worker without work",
        ("figure", "value"),
        [
            ("connections to Redis", f"{idle['connections']}"),
            ("commands a second", f"{idle['commands_per_second']:,.1f}"),
            ("microseconds of Redis a second", f"{idle['redis_us_per_second']:,.0f}"),
        ],
    )
    operations = sorted(service["storage_calls_alone"])
    yield (
        "Calls to the object store for a picture",
        ("", *operations),
        [
            (
                kind.removeprefix("storage_calls_").replace("_", " "),
                *(f"{service[kind].get(o, 0):.2f}" for o in operations),
            )
            for kind in ("storage_calls_alone", "storage_calls_in_jobs_of_20")
        ],
    )


def engine_table() -> TitledTable:
    """What the GPUs' figures are computed from."""
    engine = EngineOnCpu()
    rows: list[tuple[str, ...]] = [
        ("a picture of a new label map, two CPU threads", f"{engine.picture_seconds:.3f} s"),
        ("matrix peak of that machine", f"{engine.matrix_peak_flops / 1e9:,.0f} Gflop/s"),
        ("so a picture needs, as if all were matrix products", f"{engine.picture_operations / 1e9:,.0f} Gflop"),
        ("of which the trunk's convolutions", f"{engine.trunk_flops / 1e9:,.1f} Gflop"),
    ]
    return "A picture of COCO-Stuff, 256x256", ("figure", "value"), rows


def _requests(calls: Mapping[str, float]) -> float:
    """Those that a picture causes, and one more, with which the client fetches it. Lists are made whether or not."""
    return 1 + calls["get"] + calls["put"]


def _headings(form: str) -> list[str]:
    return [form.format(f"{pictures:,}") for pictures in PICTURES_PER_SECOND]
