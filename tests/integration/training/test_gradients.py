"""Several processes learn what one process learns from the same pictures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

WORKER = Path(__file__).parent / "gradients_worker.py"
TOLERANCE = 5e-5
"""Of the largest gradient of a network: sums are taken in another order."""

CASES = ("plain", "dense", "vae", "accumulating", "exact", "recomputing")

Gradients = dict[str, dict[str, Tensor]]


def run(out: Path, processes: int, *cases: str) -> Gradients:
    torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    subprocess.run(
        [sys.executable, *(torchrun if processes > 1 else ()), str(WORKER), str(out), *cases],
        check=True,
        timeout=200,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    gradients: Gradients = torch.load(out, weights_only=True)
    return gradients


@pytest.fixture(scope="module")
def gradients(tmp_path_factory: pytest.TempPathFactory) -> tuple[Gradients, Gradients]:
    """Of one process and of two, by case and name."""
    folder = tmp_path_factory.mktemp("gradients")
    return run(folder / "alone.pt", 1, *CASES), run(folder / "both.pt", 2, *CASES)


@pytest.mark.parametrize("network", ["generator", "discriminator", "encoder", "loss"])
@pytest.mark.parametrize("case", CASES)
def test_gradients_of_two_processes_are_those_of_one(
    gradients: tuple[Gradients, Gradients], case: str, network: str
) -> None:
    alone, both = (found[case] for found in gradients)
    assert alone.keys() == both.keys()
    names = [name for name in alone if name.startswith(network)]
    if network == "encoder" and case not in ("vae", "accumulating", "exact"):
        assert not names
        return
    assert_close(both, alone, names)


def test_gradients_of_four_processes_are_those_of_one(gradients: tuple[Gradients, Gradients], tmp_path: Path) -> None:
    """More than two add in the order of their ranks, not as gloo does."""
    alone, four = gradients[0]["vae"], run(tmp_path / "four.pt", 4, "vae")["vae"]
    for network in ("generator", "discriminator", "encoder", "loss"):
        assert_close(four, alone, [name for name in alone if name.startswith(network)])


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor], names: list[str]) -> None:
    """Of one network."""
    largest = max(float(expected[name].abs().max()) for name in names)
    for name in names:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=TOLERANCE * largest, msg=name)
