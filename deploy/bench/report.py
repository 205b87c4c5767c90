"""BENCHMARKS.md: every benchmark of the project run once, one after the other, with its command and its figures."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from deploy.bench.engines_report import engines_tables
from deploy.bench.load_report import TitledTable, load_tables
from deploy.errors import BenchmarkError, MissingProgramError
from deploy.local.programs import find_java, find_torchserve
from spade.benchmarks.tables import ENGINE_COLUMNS, TRAINING_COLUMNS, engine_rows, training_rows

Figures = Mapping[str, Any]
Command = Sequence[str | Path]
_GIB: Final = 2**30
_HEAD: Final = """# Benchmarks

Written by `make bench`; `make bench ARGS="--coco DIR --camvid DIR"` measures on those data sets. Times are medians of
runs that take turns in one process, so their ratios hold on a noisy machine too; the times themselves are those of the
machine that each section names.
"""
_SECTION: Final = "## "


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A command that prints one JSON object, and what is written of it."""

    title: str
    command: Command
    """A path stands for a data set, of which its folder's name says enough."""
    render: Callable[[Figures], str]
    """Markdown of the figures."""


def benchmarks(*, coco: Path | None, camvid: Path | None) -> list[Benchmark]:
    """All that this machine can run; without the data sets, on maps and pictures that the project draws itself."""
    on_coco: Command = [] if coco is None else ["--dataset", "coco", "--dataroot", coco]
    on_camvid: Command = []
    if camvid is not None:
        on_camvid = ["--dataset", "custom", "--dataroot", camvid, "--label-nc", "11", "--dont-care"]
    maps = "painted maps" if coco is None else "validation samples with instance edges"
    engine, train = ["spade", "bench", "engine"], ["spade", "bench", "train"]
    on_coco_samples = [*on_coco, "--rounds", "2"]
    cityscapes = [*engine, "--dataset", "cityscapes", "--count", "3", "--rounds", "1"]
    worker = ["spade-serve", "bench", "worker"]
    random = [*engine, "--maps", "random", "--count", "2", "--rounds", "1"]
    landscape = _evaluation_of("landscape", ["--dataset", "scenes", "--limit", "200"], judge="scenes")
    street = [] if camvid is None else [_evaluation_of("street", on_camvid[:4], judge="camvid")]
    return [
        Benchmark(title=f"The engine: COCO-Stuff, {maps}", command=[*engine, *on_coco_samples], render=_engine),
        Benchmark(title="The engine: Cityscapes, painted maps", command=cityscapes, render=_engine),
        Benchmark(title="The engine where no window repeats", command=random, render=_engine),
        *(
            Benchmark(title=f"The engine: the model {model}", command=[*engine, "--model", model], render=_engine)
            for model in ("landscape", "street")
        ),
        Benchmark(title="An iteration of training", command=[*train, *on_coco], render=_training),
        Benchmark(title="Training in two processes", command=["spade", "bench", "scaling", *on_camvid], render=_facts),
        Benchmark(title="Pairs for training", command=["spade", "bench", "data"], render=_facts),
        Benchmark(title="The queue", command=["spade-serve", "bench", "queue"], render=_facts),
        Benchmark(title="A saturated worker, one thread", command=worker, render=_saturation),
        Benchmark(title="A saturated worker, two threads", command=[*worker, "--threads", "2"], render=_saturation),
        *_both_engines(),
        Benchmark(title="What telemetry costs", command=["spade-serve", "bench", "telemetry"], render=_facts),
        Benchmark(title="The service under load", command=["spade-serve", "bench", "load"], render=_load),
        Benchmark(title="A bulk job", command=["spade-serve", "bench", "bulk"], render=_facts),
        landscape,
        *street,
    ]


def _both_engines() -> list[Benchmark]:
    """None where there is no TorchServe, which is an extra, or no Java for it."""
    try:
        find_torchserve()
        find_java()
    except MissingProgramError:
        return []
    command = ["spade-serve", "bench", "engines"]
    return [Benchmark(title="TorchServe as the engine", command=command, render=_engines)]


def _evaluation_of(model: str, dataset: Command, *, judge: str) -> Benchmark:
    segmenter = f"model_store/judges/{judge}.safetensors"
    command = ["spade", "evaluate", "--model", model, *dataset, "--segmenter", segmenter]
    return Benchmark(title=f"The model {model}", command=command, render=_evaluation)


def run_all(chosen: Sequence[Benchmark], started: Callable[[Benchmark], None], *, earlier: str = "") -> str:
    """Runs benchmarks one after the other and returns the text of BENCHMARKS.md.

    `started` hears of each before it runs. `earlier` is the text of a run before, of which sections are kept that are
    not measured anew.

    Raises BenchmarkError: where one fails.
    """
    kept = earlier.split(f"\n{_SECTION}")[1:]
    sections = {section.partition("\n")[0]: f"{_SECTION}{section.rstrip()}\n" for section in kept}
    for benchmark in chosen:
        started(benchmark)
        figures = _run(benchmark)
        words = [word.name if isinstance(word, Path) else word for word in benchmark.command]
        shown = " ".join([*words, "--json"])
        told = f"    {shown}\n\n{machine()}\n\n{benchmark.render(figures)}"
        sections[benchmark.title] = f"{_SECTION}{benchmark.title}\n\n{told}"
    return "\n".join([_HEAD, *sections.values()])


def _run(benchmark: Benchmark) -> Figures:
    name, *arguments = map(str, benchmark.command)
    program = Path(sys.executable).with_name(name)
    done = subprocess.run([program, *arguments, "--json"], capture_output=True, text=True, check=False)
    if done.returncode:
        last_line = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise BenchmarkError(f"{' '.join([name, *arguments])}: {last_line}")
    # What the libraries that a benchmark uses have to say may come before its figures.
    figures: Figures = json.loads(done.stdout[done.stdout.index("{") :])
    return figures


def machine() -> str:
    """Today, and on what everything runs."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {os.cpu_count()} cores, {platform.system()}, Python "
        f"{platform.python_version()}, torch {version('torch')}, spade-serving {version('spade-serving')}."
    )


def _processor() -> str:
    """As the kernel names it, with the widest vectors it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    widest = next((flag for flag in ("avx512f", "avx2") if flag in flags), platform.machine())
    return f"{facts.get('model name', platform.machine())} ({widest})"


def _engine(figures: Figures) -> str:
    medians = (
        "**median**",
        "",
        "",
        "",
        f"**{figures['cold_speedup']:.2f}x**",
        f"**{figures['variation_speedup']:.2f}x**",
        f"{figures['largest_difference']:.1e}",
    )
    processes = figures["processes"]
    facts = {
        "size, threads": f"{figures['width']}x{figures['height']}, {figures['threads']}",
        "share of the trunk's limit that a variation reaches": f"{figures['trunk_limit_share']:.2f}",
        "trunk, Gflop; matrix peak, Gflop/s": (
            f"{figures['trunk_flops'] / 1e9:.1f}; {figures['matrix_peak_flops'] / 1e9:.0f}"
        ),
        "peak memory, plain and engine": _memory(processes, ""),
        "the same where no window repeats": _memory(processes, "_random"),
        "first picture after torch is imported": (
            f"{processes['first_picture_seconds'] - processes['import_seconds']:.2f} s"
        ),
    }
    return _table(ENGINE_COLUMNS, [*engine_rows(figures), medians]) + "\n" + _facts(facts)


def _memory(processes: Figures, kind: str) -> str:
    plain, engine = processes[f"plain_bytes{kind}"], processes[f"engine_bytes{kind}"]
    return f"{plain / _GIB:.2f} and {engine / _GIB:.2f} GiB ({engine / plain:.2f})"


def _training(figures: Figures) -> str:
    rest = {name: value for name, value in figures.items() if name != "paths"}
    return _table(TRAINING_COLUMNS, training_rows(figures)) + "\n" + _facts(rest)


def _saturation(figures: Figures) -> str:
    stages = {f"seconds a picture: {stage}": seconds for stage, seconds in figures["stage_seconds"].items()}
    return _facts({name: value for name, value in figures.items() if name != "stage_seconds"} | stages)


def _load(figures: Figures) -> str:
    return markdown_tables(load_tables(figures))


def _engines(figures: Figures) -> str:
    return markdown_tables(engines_tables(figures))


def markdown_tables(tables: Iterator[TitledTable]) -> str:
    """Tables of Markdown, each below its title."""
    return "\n".join(f"{title}:\n\n{_table(columns, rows)}" for title, columns, rows in tables)


def _evaluation(figures: Figures) -> str:
    protocol = figures["protocol"]
    generated, weights = protocol["generated"], {one["role"]: one["sha256"] for one in protocol["weights"]}
    facts = {
        "pictures": f"{generated['count']} of {protocol['reference']['split']}, seeds from {generated['seed']}",
        "compared at": f"{protocol['width']}x{protocol['height']}, id {protocol['ignored_id']} ignored",
        **{f"sha256 of the {role}": digest for role, digest in weights.items()},
    }
    metrics = {
        metric["title"]: f"{metric['value']:.1%}" if metric["percent"] else metric["value"]
        for metric in figures["metrics"]
    }
    return _facts(facts | metrics)


def _facts(figures: Figures) -> str:
    """Numbers by name."""
    return _table(("figure", "value"), [(name.replace("_", " "), _shown(value)) for name, value in figures.items()])


def _shown(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def lines() -> Iterator[str]:
        yield "| " + " | ".join(columns) + " |"
        yield "|" + "---|" * len(columns)
        for row in rows:
            yield "| " + " | ".join(row) + " |"

    return "\n".join(lines()) + "\n"
