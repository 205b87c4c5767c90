"""BENCHMARKS.md, from benchmarks that take no time."""

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.bench.report import Benchmark, benchmarks, machine, run_all
from deploy.cli import main as spade_serve
from deploy.errors import BenchmarkError
from model_store.cli import spade


def python(program: str) -> list[str | Path]:
    return ["python", "-c", program]


def test_every_benchmark_is_shown_with_its_command_and_its_figures() -> None:
    heard: list[str] = []
    benchmark = Benchmark(
        title="Nothing",
        command=python("print('{\\n \"speed\": 1234.5}')"),
        render=lambda figures: f"{figures['speed']}!",
    )
    text = run_all([benchmark], lambda one: heard.append(one.title))
    assert heard == ["Nothing"]
    assert text.startswith("# Benchmarks\n")
    assert "## Nothing\n\n    python -c" in text
    assert text.endswith(f"\n\n{machine()}\n\n1234.5!")


def test_sections_of_an_earlier_run_are_kept_unless_they_are_measured_anew() -> None:
    one, other = (Benchmark(title=title, command=python("print('{}')"), render=lambda _: "old") for title in "ab")
    earlier = run_all([one, other], lambda _: None)
    earlier = earlier.replace(machine(), "another machine")
    text = run_all([dataclasses.replace(other, render=lambda _: "new\n")], lambda _: None, earlier=earlier)
    assert text.count("## ") == 2
    first, second = text.split("\n## ")[1:]
    assert (first.splitlines()[0], first.splitlines()[-1]) == ("a", "old")
    assert (second.splitlines()[0], second.splitlines()[-1]) == ("b", "new")
    assert ("another machine" in first, "another machine" in second) == (True, False)


def test_words_that_no_title_has_are_refused_with_the_titles(tmp_path: Path) -> None:
    arguments = ["bench", "report", "--only", "speed of light", "-o", str(tmp_path / "b.md")]
    result = CliRunner().invoke(spade_serve, arguments)
    assert result.exit_code == 2
    assert "The queue" in result.output


def test_a_benchmark_that_fails_ends_the_report_with_its_last_line() -> None:
    benchmark = Benchmark(title="Broken", command=python("raise SystemExit('no engine')"), render=str)
    with pytest.raises(BenchmarkError, match="no engine"):
        run_all([benchmark], lambda _: None)


def test_data_sets_are_used_where_they_are_named_and_shown_without_their_folder(tmp_path: Path) -> None:
    without = [word for one in benchmarks(coco=None, camvid=None) for word in one.command]
    assert "--dataroot" not in without
    coco, camvid = tmp_path / "coco", tmp_path / "camvid"
    within = [word for one in benchmarks(coco=coco, camvid=camvid) for word in one.command]
    assert within.count(coco) == 2
    assert within.count(camvid) == 2


def test_all_commands_exist_with_the_options_that_they_are_given(tmp_path: Path) -> None:
    programs = {"spade": spade, "spade-serve": spade_serve}
    for one in [*benchmarks(coco=None, camvid=None), *benchmarks(coco=tmp_path, camvid=tmp_path)]:
        name, *arguments = map(str, one.command)
        result = CliRunner().invoke(programs[name], [*arguments, "--json", "--help"])  # --help: parse, but do not run
        assert result.exit_code == 0, result.output


def rendered(title: str, figures: object) -> str:
    """As the first benchmark with such a title shows figures that come as JSON."""
    benchmark = next(one for one in benchmarks(coco=None, camvid=None) if title in one.title)
    return benchmark.render(json.loads(json.dumps(figures)))


def test_figures_of_engine_and_training_become_tables() -> None:
    one = {"name": "lake", "plain_seconds": 2.0, "cold_seconds": 0.5, "variation_seconds": 0.25}
    one |= {"cold_speedup": 4.0, "variation_speedup": 8.0, "largest_difference": 1e-6}
    processes = {"plain_bytes": 2**30, "engine_bytes": 2**29, "plain_bytes_random": 2**30, "engine_bytes_random": 2**30}
    processes |= {"import_seconds": 1.0, "first_picture_seconds": 2.5}
    engine = {"maps": [one], "cold_speedup": 4.0, "variation_speedup": 8.0, "largest_difference": 1e-6, "width": 64}
    engine |= {"height": 32, "threads": 2, "trunk_limit_share": 0.9, "trunk_flops": 8.4e10, "matrix_peak_flops": 2e11}
    text = rendered("engine", engine | {"processes": processes})
    assert "| lake | 2.000 | 0.500 | 0.250 | 4.00x | 8.00x | 1.0e-06 |" in text
    assert "| peak memory, plain and engine | 1.00 and 0.50 GiB (0.50) |" in text
    assert "| first picture after torch is imported | 1.50 s |" in text
    path = {"seconds": 2.0, "pictures_per_second": 0.5, "peak_memory_bytes": 2**31}
    text = rendered("iteration of training", {"threads": 2, "paths": {"fast": path}, "speedup_over_plain": 2.125})
    assert "| fast | 2.00 | 0.500 | 2.00 GiB |" in text
    assert "| speedup over plain | 2.12 |" in text


def test_figures_of_load_and_of_a_saturated_worker_become_tables() -> None:
    latency = {"clients": 10, "accepted": 300, "accepted_per_second": 150.4, "p50_ms": 54.0, "p99_ms": 160.0}
    load = {"latencies": [{**latency, "longest_ms": 241.0, "other_answers": {"503": 2}}], "memory": {"items": 1000}}
    text = rendered("under load", load | {"full": {"refused": 7, "other_answers": {}}})
    assert "| 10 | 300 | 150 | 54 | 160 | 241 | 2 x 503 |" in text
    assert "| refused | 7 |" in text
    assert "| other answers | none |" in text
    text = rendered("saturated", {"worker_share": 0.99, "stage_seconds": {"encode": 0.005}})
    assert "| worker share | 0.99 |" in text
    assert "| seconds a picture: encode | 0.005 |" in text


def test_an_evaluation_is_shown_with_its_protocol_and_ratios_in_percent() -> None:
    metrics = [
        {"title": "mIoU", "value": 0.5917, "percent": True},
        {"title": "FID (segmenter features)", "value": 2.351, "percent": False},
    ]
    protocol = {
        "generated": {"count": 200, "seed": 0},
        "reference": {"split": "val"},
        "weights": [{"role": "model", "sha256": "ab"}],
        **{"width": 256, "height": 128, "ignored_id": 13},
    }
    text = rendered("The model landscape", {"metrics": metrics, "protocol": protocol})
    for line in (
        "200 of val, seeds from 0",
        "256x128, id 13 ignored",
        "model | ab",
        "mIoU | 59.2%",
        "features) | 2.35",
    ):
        assert line in text
