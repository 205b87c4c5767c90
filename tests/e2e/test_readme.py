"""README.md says what is so: its commands are run against a real service, its table is held against the code."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from deploy.local.stack import LocalStack, running
from support.metrics import exported_metrics
from support.programs import SPADE
from workers.redis_client import RedisClient

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(<!-- not run[^\n]*\n)?```bash\n(.*?)```", README, re.DOTALL)
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
RUN = [text for not_run, text in BLOCKS if not not_run]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[dict[str, str]]:
    """What a reader has set after starting the service as the page says."""
    inherited = {**os.environ, "SPADE_MODELS_DIR": str(models_dir), "SPADE_DEVICE": "cpu"}
    stack = LocalStack(tmp_path_factory.mktemp("state"), environment=inherited, report=lambda _: None)
    with running(stack):
        path = f"{SPADE.parent}:{os.environ['PATH']}"
        home = str(tmp_path_factory.mktemp("home"))
        yield {**inherited, "SPADE_URL": stack.url, "PATH": path, "HOME": home}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands for the checkout, so that nothing is written into the real one."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "deploy").symlink_to(ROOT / "deploy")
    return folder


def run(command: list[str], environment: dict[str, str], folder: Path) -> None:
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("commands", RUN, ids=range(1, len(RUN) + 1))
def test_the_commands_do_what_the_page_says(commands: str, environment: dict[str, str], folder: Path) -> None:
    run(["bash", "-euo", "pipefail", "-c", commands], environment, folder)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(1, len(PROGRAMS) + 1))
def test_the_programs_do_what_the_page_says(program: str, environment: dict[str, str], folder: Path) -> None:
    run([sys.executable, "-c", program], environment, folder)


def test_blocks_that_are_marked_are_not_run() -> None:
    assert len(BLOCKS) - len(RUN) == README.count("<!-- not run") > 0


def test_the_commands_leave_the_pictures_where_the_page_says(folder: Path) -> None:
    found = {str(path.relative_to(folder)) for path in [*folder.glob("*.png"), *folder.glob("pictures/*")]}
    assert found == {"beach.png", "lake.png", "pictures/0-lake.png", "pictures/1-snow.png", "pictures/canyon.png"}
    for name in found:
        with Image.open(folder / name) as picture:
            assert picture.size == (256, 256)


@pytest.mark.parametrize(
    "target",
    ["demo", "test", "up", "check", "help", "format", "bench", "load", "fuzz", "chaos", "k8s-check", "studio", "clean"],
)
def test_make_knows_its_targets(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=True)


def test_the_page_names_every_setting_and_no_other() -> None:
    readers = ("workers/settings.py", "deploy/options.py")  # of the service, and of the commands that talk to it
    code = "".join((ROOT / path).read_text(encoding="utf-8") for path in readers)
    known = set(re.findall(r'"(SPADE_[A-Z0-9_]+)"', code))
    named = set(re.findall(r"`(SPADE_[A-Z0-9_]+)`", README))
    assert named == known


def test_the_page_names_every_metric_and_no_other(redis_client: RedisClient) -> None:
    exported = {name for name in exported_metrics(redis_client) if not name.startswith("spade_training_")}
    assert set(re.findall(r"`(spade_\w+)`", README)) == exported


def test_the_table_at_the_top_leads_to_headings_of_the_page() -> None:
    headings = re.findall(r"^##+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    named = set(re.findall(r"\]\(#([^)]+)\)", README))
    assert named <= anchors


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_and_paths_of_a_page_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http|#)([^)]+)\)", text)
    paths = re.findall(r"`((?:api|workers|model_store|spade|deploy|tests)/[\w/.]*)`", text)
    absent = [path for path in links + paths if not (ROOT / path).exists()]
    assert not absent
