"""What is served of the studio is what its sources become."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[3] / "api" / "studio"
SERVED = SOURCES.parent / "assets" / "studio"
MOST_LINES = 300


@pytest.fixture
def node() -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("this machine has no Node.js; on Debian: apt-get install nodejs npm")
    if not (SOURCES / "node_modules").exists():
        pytest.skip("the studio's tools are not installed; `make studio` does that")
    return node


def test_what_is_served_is_what_the_sources_become(node: str, tmp_path: Path) -> None:
    subprocess.run([node, SOURCES / "build.mjs", tmp_path], check=True)
    assert {path.name for path in SERVED.iterdir()} == {path.name for path in tmp_path.iterdir()}
    for path in tmp_path.iterdir():
        assert (SERVED / path.name).read_bytes() == path.read_bytes(), f"{path.name} is old; run `make studio`"


def test_types_of_the_sources_hold(node: str) -> None:
    compiler = SOURCES / "node_modules" / "typescript" / "bin" / "tsc"
    checked = subprocess.run([node, compiler, "--noEmit", "-p", SOURCES], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_no_source_is_longer_than_300_lines() -> None:
    sources = [*SOURCES.glob("*.ts"), *SOURCES.glob("*.css"), *SOURCES.glob("*.html")]
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in sources}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}
