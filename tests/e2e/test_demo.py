"""`spade-serve demo`, as `make demo` runs it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from deploy.examples import example_label_maps

SERVE = Path(sys.executable).with_name("spade-serve")
Demo = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    models = tmp_path_factory.mktemp("models")

    def run(out: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [SERVE, "demo", "--out", out],
            env={**os.environ, "SPADE_MODELS_DIR": str(models), "TMPDIR": str(out.parent), **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    yield run
    shutil.rmtree(models)  # large


def test_the_demo_makes_every_picture_and_a_contact_sheet_and_leaves_nothing_behind(demo: Demo, tmp_path: Path) -> None:
    result = demo(tmp_path / "out")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"Contact sheet: {tmp_path / 'out' / 'contact-sheet.png'}" in result.stdout.replace("\n/", " /")
    for example in example_label_maps():
        with Image.open(tmp_path / "out" / example.path.name) as picture:
            assert (picture.size, picture.mode) == ((256, 256), "RGB")
            assert len(picture.getcolors(2**16) or range(2**16)) > 1000
    with Image.open(tmp_path / "out" / "contact-sheet.png") as sheet:
        assert sheet.width > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_demo_that_gets_no_pictures_fails_and_says_why(demo: Demo, tmp_path: Path) -> None:
    result = demo(tmp_path / "out", SPADE_DEVICE="no-such-device")
    assert result.returncode == 1
    assert "Error: " in result.stderr
    assert not (tmp_path / "out" / "contact-sheet.png").exists()
