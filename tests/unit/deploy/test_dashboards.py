"""The dashboards' files: as the code writes them, in Grafana's form, about metrics that exist."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import Board, board_json, expressions
from support.metrics import exported_series
from workers.redis_client import connect

DEPLOY = Path(__file__).parents[3] / "deploy"
FILES = DEPLOY / "grafana" / "dashboards"
RULES = [
    rule
    for file in sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
OF_PROMETHEUS = {"up"}
OF_PROCESSES = {"process_resident_memory_bytes"}
each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)


def panels(board: Board) -> list[dict[str, Any]]:
    return json.loads((FILES / f"{board.uid}.json").read_text())["panels"]


@each_board
def test_the_file_is_what_the_code_writes(board: Board) -> None:
    written = (FILES / f"{board.uid}.json").read_text(encoding="utf-8")
    assert written == board_json(board), "run `python -m deploy.grafana`"


def test_there_is_no_file_without_code() -> None:
    assert {file.stem for file in FILES.iterdir()} == {board.uid for board in BOARDS}


@each_board
def test_grafanas_own_types_read_the_file_whole(board: Board) -> None:
    values = json.loads((FILES / f"{board.uid}.json").read_text())
    read = Dashboard.from_json(values)
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == values


@each_board
def test_panels_lie_side_by_side_and_none_is_empty(board: Board) -> None:
    cells: set[tuple[int, int]] = set()
    for panel in panels(board):
        at = panel["gridPos"]
        covered = set(
            itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])),
        )
        assert at["x"] + at["w"] <= 24
        assert not covered & cells
        cells |= covered
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert all(target["expr"] for target in panel["targets"])
        assert panel["targets"]


@pytest.fixture(scope="module")
def exported(redis_url: str) -> set[str]:
    return exported_series(connect(redis_url))


def metrics_in(expression: str) -> set[str]:
    without_labels = re.sub(r"\{[^}]*\}|by \([^)]*\)", "", expression)
    return set(re.findall(r"\b(?:spade[_:]\w[\w:]*|process_\w+|up)\b", without_labels))


@pytest.mark.parametrize("expression", [*expressions(BOARDS), *(rule["expr"] for rule in RULES)])
def test_every_metric_that_is_asked_for_exists(expression: str, exported: set[str]) -> None:
    asked = metrics_in(expression)
    assert asked
    assert asked <= exported | RECORDED | OF_PROMETHEUS | OF_PROCESSES
