"""`spade-serve demo`, as `make demo` runs it."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from PIL import Image

from deploy.examples import example_label_maps
from model_store.registry import Registry
from support.programs import SPADE_SERVE
from support.waiting import wait_until

Demo = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def demo(models_dir: Path) -> Demo:
    def run(out: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [SPADE_SERVE, "demo", "--out", out],
            env={**os.environ, "SPADE_MODELS_DIR": str(models_dir), "TMPDIR": str(out.parent), **settings},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


def test_the_demo_makes_every_picture_and_a_contact_sheet_and_leaves_nothing_behind(demo: Demo, tmp_path: Path) -> None:
    result = demo(tmp_path / "out")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"Contact sheet: {tmp_path / 'out' / 'contact-sheet.png'}" in result.stdout.replace("\n/", " /")
    for example in example_label_maps():
        card = Registry(None).card(example.model)
        pictures = [tmp_path / "out" / f"{example.path.stem}_{style}.png" for style in example.styles]
        for file in pictures:
            with Image.open(file) as picture:
                assert (picture.size, picture.mode) == ((card.width, card.height), "RGB")
                assert len(picture.getcolors(2**16) or range(2**16)) > 1000
        assert len({file.read_bytes() for file in pictures}) == len(example.styles)
    with Image.open(tmp_path / "out" / "contact-sheet.png") as sheet:
        assert sheet.width > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_demo_that_gets_no_pictures_fails_and_says_why(demo: Demo, tmp_path: Path) -> None:
    result = demo(tmp_path / "out", SPADE_DEVICE="no-such-device")
    assert result.returncode == 1
    assert "Error: " in result.stderr
    assert not (tmp_path / "out" / "contact-sheet.png").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_stops_what_it_started(number: int, tmp_path: Path) -> None:
    environment = {**os.environ, "SPADE_MODELS_DIR": str(tmp_path / "models"), "TMPDIR": str(tmp_path / "states")}
    (tmp_path / "states").mkdir()
    command = [SPADE_SERVE, "demo", "--out", tmp_path / "out"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        wait_until(lambda: list((tmp_path / "states").glob("*/logs/api.log")), "the API is started")
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(60) == 130
    assert family
    assert psutil.wait_procs(family, timeout=10)[1] == []
    assert list((tmp_path / "states").iterdir()) == []
