"""The alerts and recording rules, by Prometheus' own tool."""

import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.local.programs import find_promtool

FOLDER = Path(__file__).parents[3] / "deploy" / "prometheus"
ALERTS = [
    rule for group in yaml.safe_load((FOLDER / "rules" / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]


@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", "rules/alerts.yml", "rules/recorded.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
)
def test_promtool_agrees(command: tuple[str, ...]) -> None:
    result = subprocess.run([find_promtool(), *command], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_where_to_begin(alert: dict[str, dict[str, str]]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["runbook"].endswith(".")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_is_tested(alert: dict[str, str]) -> None:
    assert f'"{alert["alert"]}"' in (FOLDER / "alerts_test.yml").read_text()
