"""k8s/SCALING.md says what the code computes now from the figures that are kept beside it."""

import json
from pathlib import Path

import pytest

from deploy.bench.gpu_rates import pictures_per_second
from deploy.bench.scaling_plan import filled
from deploy.bench.scaling_serving import Price, gpus_needed, redis_cores, redis_servers_needed
from deploy.bench.scaling_training import LINKS, compute_seconds, exchange_of_coco, exchange_seconds
from deploy.bench.scheduler_simulation import MAP_SPREAD
from deploy.errors import BenchmarkError

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "k8s" / "SCALING.md").read_text(encoding="utf-8")
FIGURES = json.loads((ROOT / "k8s" / "scaling.json").read_text(encoding="utf-8"))


def test_the_document_is_what_the_code_makes_of_its_figures() -> None:
    assert filled(DOCUMENT, FIGURES, Price()) == DOCUMENT


def test_another_price_makes_another_document() -> None:
    assert filled(DOCUMENT, FIGURES, Price(gpu_hour=20)) != DOCUMENT


def test_a_document_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="markers for"):
        filled(DOCUMENT.replace("<!-- end gpus -->", ""), FIGURES, Price())


def test_gpus_are_enough_for_the_pictures_at_seventy_percent_and_no_more_than_that() -> None:
    for tflops in (10, 100):
        rate = 0.7 * pictures_per_second(tflops)
        gpus = gpus_needed(10_000, tflops)
        assert gpus * rate >= 10_000 > (gpus - 1) * rate


def test_redis_grows_with_pictures_and_workers() -> None:
    figures = {
        "scheduler": {"rows": [{"redis_us_per_picture": 100}]},
        "service": {"idle_worker": {"redis_us_per_second": 2000}},
    }
    workers = gpus_needed(10_000, 30)
    assert redis_cores(10_000, figures) == pytest.approx(1 + 0.002 * workers)
    assert redis_servers_needed(10_000, figures) == 2


def test_what_maps_take_differs_around_its_mean() -> None:
    assert sum(MAP_SPREAD) / len(MAP_SPREAD) == pytest.approx(1, abs=0.005)


def test_a_ring_of_many_sends_twice_the_gradients_and_small_exchanges_take_their_latency() -> None:
    counted = exchange_of_coco()
    assert counted.ring_bytes(2, 100) == 100
    assert counted.ring_bytes(1000, 100) == pytest.approx(200, rel=0.01)
    ethernet = LINKS[-1]
    latencies = counted.statistics_exchanges * ethernet.latency_us / 1e6
    bytes_alone = exchange_seconds(counted, 128, ethernet) - latencies
    assert bytes_alone * ethernet.gigabytes_per_second * 1e9 == pytest.approx(
        counted.ring_bytes(128, counted.gradient_bytes_float32)
    )
    assert compute_seconds(counted, 10) == pytest.approx(3 * compute_seconds(counted, 30))
