"""`deploy/setup.sh` on machines that lack something, played by small scripts."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[3] / "deploy" / "setup.sh"
PYTHONS = ("python3", "python3.11", "python3.12", "python3.13", "python3.14")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs that come before all others, and beside it the script to be tested."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "deploy").mkdir()
    shutil.copy(SETUP, tmp_path / "deploy")
    return programs


def add(machine: Path, name: str, script: str) -> None:
    (machine / name).write_text(f"#!/bin/sh\n{script}\n")
    (machine / name).chmod(0o755)


def run_setup(machine: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [machine.parent / "deploy" / "setup.sh", "local"],
        env={"PATH": f"{machine}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def add_python_without_venv(machine: Path) -> None:
    script = """case "$2" in
        *"(3, 11)"*) exit 0 ;;
        *ensurepip*) exit 1 ;;
        *venv*) echo python3.12-venv ;;
        *) exit 1 ;;
    esac"""
    add(machine, "python3", script)


def test_without_a_python_that_is_new_enough_it_says_what_is_needed(machine: Path) -> None:
    for name in PYTHONS:
        add(machine, name, '[ "$1" = --version ] && echo Python 3.9.2; exit 1')
    result = run_setup(machine)
    assert result.returncode == 1
    assert "Python 3.11 or newer is needed; this machine has Python 3.9.2" in result.stderr
    assert "apt-get install python3 python3-venv" in result.stderr


def test_without_the_venv_module_it_names_the_debian_package(machine: Path) -> None:
    add_python_without_venv(machine)
    add(machine, "id", "echo 1000")
    result = run_setup(machine)
    assert result.returncode == 1
    assert result.stderr.endswith("has no venv module. On Debian, as root: apt-get install python3.12-venv\n")


def test_without_the_venv_module_root_gets_it_installed(machine: Path) -> None:
    add_python_without_venv(machine)
    add(machine, "id", "echo 0")
    add(machine, "apt-get", f'echo "$*" >> {machine}/asked')
    result = run_setup(machine)
    assert result.returncode != 0  # this python cannot make a virtual environment, whatever is installed
    assert "python3.12-venv" in (machine / "asked").read_text().splitlines()[-1]


def test_an_installation_that_was_cut_short_is_made_anew(machine: Path) -> None:
    pip = """#!/bin/sh
    case "$*" in *install*) [ ! -e cut-short ] ;; esac
    """
    (machine.parent / "pip").write_text(pip)
    add(
        machine,
        "python3",
        """case "$*" in
        --version) echo Python 3.12.0 ;;
        *--clear*) rm -rf .venv; mkdir -p .venv/bin; cp pip .venv/bin/python; chmod +x .venv/bin/python ;;
    esac""",
    )
    (machine.parent / "cut-short").touch()
    assert "creating .venv" in run_setup(machine).stdout
    (machine.parent / "cut-short").unlink()
    mended = run_setup(machine)
    assert mended.returncode == 0, mended.stderr
    assert "creating .venv" in mended.stdout
    assert "creating .venv" not in run_setup(machine).stdout


def test_two_at_once_take_turns(machine: Path) -> None:
    add_python_without_venv(machine)
    add(machine, "id", "echo 1000")
    script = machine.parent / "deploy" / "setup.sh"
    with script.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = subprocess.Popen(
            [script, "local"], env={"PATH": f"{machine}:/usr/bin:/bin"}, stderr=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1)
    _, complaint = second.communicate(timeout=60)
    assert second.returncode == 1
    assert complaint
