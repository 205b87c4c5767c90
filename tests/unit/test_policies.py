"""Rules that no single module can break alone: who imports whom, what importing does, what lies where."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "workers", "model_store", "spade", "deploy")
MOST_LINES = 300
FOLDERS = {".ci", *PACKAGES, "k8s", "tests"}

# Only these may read the environment, connect or log when they are imported.
ENTRY_MODULES = {
    *("api.wsgi", "workers.app", "deploy.bench.null_worker", "deploy.bench.service_worker", "deploy.bench.load_user"),
}

# Imports the modules that are named to it and ends at the first that does more than define things.
WATCHED = f"""
import importlib, os, sys, threading

def forbid(what):
    sys.stderr.write(f"importing {{module}} {{what}} something\\n")
    sys.stderr.flush()
    os._exit(1)

def watch(event, arguments):
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        forbid("writes")
    if event in ("subprocess.Popen", "os.exec", "os.fork"):
        forbid("runs")
    if event == "socket.connect":
        forbid("connects")

def read(environment, key):
    frames = [sys._getframe(1), sys._getframe(2)]  # os.environ.get reads for its caller
    if any(frame.f_globals.get("__name__", "").split(".")[0] in {PACKAGES} for frame in frames):
        forbid("reads")
    return getitem(environment, key)

module = ""
getitem, os._Environ.__getitem__ = os._Environ.__getitem__, read
sys.addaudithook(watch)
for module in sys.argv[1:]:
    importlib.import_module(module)
    if threading.active_count() > 1:
        forbid("starts")
"""

# The API, and who only looks at models and jobs, must do without torch, which takes seconds and a gigabyte.
LIGHT = (
    *("api.app", "api.client", "deploy.cli", "model_store.card", "model_store.registry", "spade.cli", "spade.config"),
    *("spade.label_images", "spade.palettes", "spade.pictures", "workers.job_reader", "workers.job_store"),
    *("workers.messages", "workers.runtime", "workers.settings", "workers.storage", "workers.torchserve_engine"),
    *("model_store.torchserve.archive", "workers.wakeup"),
)


def modules() -> Iterator[str]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return listed.stdout.splitlines()


# Imports


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and the contracts about them, to plant faults in."""
    folder = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "*.png")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint_imports(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_imports_keep_to_the_contracts(copy: Path) -> None:
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "fault", "contract"),
    [
        ("spade/config.py", "import model_store.card", "Imports point down"),
        ("model_store/card.py", "import workers.messages", "Imports point down"),
        ("workers/errors.py", "import api.errors", "Imports point down"),
        ("api/errors.py", "import deploy.errors", "Imports point down"),
        ("api/answers.py", "import torch", "The API never loads torch"),
        ("workers/messages.py", "import spade.labels", "The API never loads torch"),
        ("spade/records.py", "import redis", "The model needs no web and no queue"),
        ("model_store/registry.py", "import httpx", "The model needs no web and no queue"),
        ("workers/traces.py", "import opentelemetry.trace", "One module knows OpenTelemetry"),
    ],
)
def test_a_planted_import_breaks_its_contract(copy: Path, module: str, fault: str, contract: str) -> None:
    original = (copy / module).read_text()
    (copy / module).write_text(f"{original}\n{fault}\n")
    try:
        result = lint_imports(copy)
    finally:
        (copy / module).write_text(original)
    assert result.returncode == 1
    assert re.search(rf"{contract}.* BROKEN", result.stdout), result.stdout


def test_light_modules_load_no_torch() -> None:
    code = f"import sys, {', '.join(LIGHT)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_does_nothing() -> None:
    """No connection, no child process, no thread, nothing written; and our own modules read no environment."""
    imported = [module for module in modules() if module not in ENTRY_MODULES]
    done = subprocess.run([sys.executable, "-B", "-c", WATCHED, *imported], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_an_import_must_not_do_is_noticed(tmp_path: Path) -> None:
    faults = {
        "writes": "open('new', 'w')",
        "reads": "import os; os.environ.get('HOME')",
        "connects": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))",
        "runs": "import subprocess; subprocess.run(['true'])",
        "starts": "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
    }
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "__init__.py").touch()
    # Coverage would take this package, which is gone when it reports, for ours.
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    for name, fault in faults.items():
        (tmp_path / "api" / f"{name}.py").write_text(fault)
        command = [sys.executable, "-B", "-c", WATCHED, f"api.{name}"]
        done = subprocess.run(command, cwd=tmp_path, env=unmeasured, capture_output=True, text=True, check=False)
        assert done.stderr == f"importing api.{name} {name} something\n"


# Folders and files


def test_there_is_no_new_folder_at_the_top() -> None:
    assert {name.split("/")[0] for name in tracked_files() if "/" in name} <= FOLDERS


def test_tests_are_no_package() -> None:
    assert [path for path in tracked_files() if path.startswith("tests/") and path.endswith("__init__.py")] == []


def test_no_file_of_code_is_longer_than_300_lines() -> None:
    code = [ROOT / path for path in tracked_files() if path.endswith(".py")]
    lengths = {path: len(path.read_text().splitlines()) for path in code if path.exists()}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}
