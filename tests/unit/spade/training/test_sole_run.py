"""Two runs never share a folder."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spade.training.errors import FolderInUseError
from spade.training.sole_run import sole_run_in

HOLD = """
import os, sys
from pathlib import Path
from spade.training.sole_run import sole_run_in
with sole_run_in(Path(sys.argv[1])):
    reader = os.fork() or sys.stdin.read()
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_folder_that_another_run_holds_is_refused_until_that_is_gone(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    with pytest.raises(FolderInUseError) as refused, sole_run_in(tmp_path):
        pass
    assert str(refused.value) == (
        f"{tmp_path}: process {holder.pid} of {socket.gethostname()} trains there; wait for its end, or choose "
        "another folder"
    )
    holder.kill()
    holder.wait()
    with sole_run_in(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} ")
