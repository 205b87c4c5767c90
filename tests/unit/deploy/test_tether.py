"""The small program that ties a child to its parent."""

import os
import subprocess
import sys

import pytest

from deploy.local import tether


def test_a_process_whose_parent_is_gone_ends_at_once() -> None:
    with pytest.raises(SystemExit, match="the process that started this one is gone"):
        tether.die_with_parent(os.getppid() + 1)


def test_it_becomes_the_command_it_is_given() -> None:
    command = [sys.executable, "-c", "import os; print(os.getpid())"]
    with subprocess.Popen(
        [sys.executable, tether.__file__, str(os.getpid()), *command], stdout=subprocess.PIPE, text=True
    ) as process:
        output, _ = process.communicate()
    assert int(output) == process.pid
