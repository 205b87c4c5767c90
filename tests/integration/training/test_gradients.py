"""Two processes learn what one process learns from the same pictures."""

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

Gradients = dict[str, dict[str, Tensor]]


def run(out: Path, *torchrun: str) -> Gradients:
    subprocess.run(
        [sys.executable, *torchrun, str(WORKER), str(out)],
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
    both = run(folder / "both.pt", "-m", "torch.distributed.run", "--nproc-per-node=2")
    return run(folder / "alone.pt"), both


@pytest.mark.parametrize("network", ["generator", "discriminator", "encoder", "loss"])
@pytest.mark.parametrize("case", ["plain", "dense", "vae", "accumulating", "exact", "recomputing"])
def test_gradients_of_two_processes_are_those_of_one(
    gradients: tuple[Gradients, Gradients], case: str, network: str
) -> None:
    alone, both = (found[case] for found in gradients)
    assert alone.keys() == both.keys()
    names = [name for name in alone if name.startswith(network)]
    if network == "encoder" and case not in ("vae", "accumulating", "exact"):
        assert not names
        return
    largest = max(float(alone[name].abs().max()) for name in names)
    for name in names:
        torch.testing.assert_close(both[name], alone[name], rtol=0, atol=TOLERANCE * largest, msg=f"{case}: {name}")
