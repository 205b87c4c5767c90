"""What the engine costs a process: its peak of memory beside the plain generator's, and the time to a first picture."""

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from spade.benchmarks.maps import BenchMap, MapKind, drawn_maps
from spade.benchmarks.memory import peak_memory_alone
from spade.benchmarks.plain import latent_of, plain_pictures
from spade.checkpoint import load_generator, save_network
from spade.generator import SpadeGenerator
from spade.synthesis import Synthesizer


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFigures:
    """Peaks of resident memory, bytes, of processes that load weights and make two pictures of a map; and starts."""

    plain_bytes: int
    engine_bytes: int
    plain_bytes_random: int
    """Of a map in which no window repeats."""
    engine_bytes_random: int
    import_seconds: float
    """From the start of a process until torch is there; median."""
    first_picture_seconds: float
    """From the start of a process until it has made a picture; median."""


def measure_processes(generator: SpadeGenerator, one: BenchMap, *, rounds: int, threads: int) -> ProcessFigures:
    """Of fresh processes that load the weights of `generator` from a file; starts are timed `rounds` times."""
    (random,) = drawn_maps(MapKind.RANDOM, generator.config, 1)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "weights.safetensors")
        save_network(weights, generator)
        peaks = [
            peak_memory_alone(function, weights, chosen, threads)
            for chosen in (one, random)
            for function in (_plain_alone, _engine_alone)
        ]
        starts = [
            (
                _seconds_of("import torch"),
                _seconds_of(f"from {__name__} import first_picture as f; f({str(weights)!r})"),
            )
            for _ in range(rounds)
        ]
    return ProcessFigures(
        plain_bytes=peaks[0],
        engine_bytes=peaks[1],
        plain_bytes_random=peaks[2],
        engine_bytes_random=peaks[3],
        import_seconds=statistics.median(imported for imported, _ in starts),
        first_picture_seconds=statistics.median(made for _, made in starts),
    )


def first_picture(weights: str) -> None:
    """Makes one picture of large regions, as a process that was just started does."""
    synthesizer = Synthesizer.from_file(weights, device=torch.device("cpu"))
    (painted,) = drawn_maps(MapKind.PAINTED, synthesizer.config, 1)
    synthesizer.synthesize(painted.labels.numpy(), None, [0])


def _seconds_of(program: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - started


def _plain_alone(weights: Path, one: BenchMap, threads: int) -> None:
    torch.set_num_threads(threads)
    generator = load_generator(weights)
    for _ in range(2):
        plain_pictures(generator, one.labels, one.instances, latent_of(generator.config))


def _engine_alone(weights: Path, one: BenchMap, threads: int) -> None:
    torch.set_num_threads(threads)
    synthesizer = Synthesizer.from_file(weights, device=torch.device("cpu"))
    instances = None if one.instances is None else one.instances.numpy()
    for seed in range(2):
        synthesizer.synthesize(one.labels.numpy(), instances, [seed])
