"""Writes the dashboards' files: `python -m deploy.grafana`. Needs the extra [dev]."""

from pathlib import Path

from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import board_json

if __name__ == "__main__":
    folder = Path(__file__).parent / "dashboards"
    for board in BOARDS:
        (folder / f"{board.uid}.json").write_text(board_json(board), encoding="utf-8")
