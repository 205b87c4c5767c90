"""Rules and dashboards in the manifests are those of the project, about metrics that its programs export."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from deploy.local.programs import find_promtool
from deploy.prometheus.operator_rules import FOLDER, operator_rules
from support.manifests import K8S, REMOVED, ROOT, Manifest, find, of_kind, planted, pods, render, selects, title
from support.metrics import exported_series
from workers.redis_client import connect

BOARDS: Final = ROOT / "deploy" / "grafana" / "dashboards"


@pytest.fixture(scope="module")
def exported(redis_url: str) -> set[str]:
    return exported_series(connect(redis_url))


def strange_metrics(manifests: list[Manifest], exported: set[str]) -> Iterator[str]:
    """Metrics, and series that rules record, that queries name and nobody has."""
    groups = [group for one in of_kind(manifests, "PrometheusRule") for group in one["spec"]["groups"]]
    rules = [rule for group in groups for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    queries = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules]
    queries += [
        (title(scaled), trigger["metadata"]["query"])
        for scaled in of_kind(manifests, "ScaledObject")
        for trigger in scaled["spec"]["triggers"]
    ]
    for name, query in queries:
        for metric in re.findall(r"\bspade[_:][a-z0-9_:]+", query):
            if metric not in recorded and metric not in exported:
                yield f"{name}: nobody exports {metric}"


def scraped_jobs(manifests: list[Manifest]) -> Iterator[str]:
    """What the Prometheus operator calls the jobs of monitors, by what each of them finds."""
    found = {
        "PodMonitor": [pod.labels for pod in pods(manifests)],
        "ServiceMonitor": [service["metadata"].get("labels", {}) for service in of_kind(manifests, "Service")],
    }
    for monitor in of_kind(manifests, *found):
        spec, unnamed = monitor["spec"], f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
        for endpoint in spec.get("podMetricsEndpoints") or spec["endpoints"]:
            given = [
                each["replacement"] for each in endpoint.get("relabelings", []) if each.get("targetLabel") == "job"
            ]
            labelled = [
                labels.get(spec.get("jobLabel"), unnamed)
                for labels in found[monitor["kind"]]
                if selects(spec["selector"], labels)
            ]
            yield from given[-1:] or labelled


def lost_labels(manifests: list[Manifest], queries: str) -> Iterator[str]:
    """Labels of pods in queries or legends that the monitor of training does not have Prometheus keep."""
    kept = find(manifests, "PodMonitor/spade-training")["spec"].get("podTargetLabels", [])
    for label in sorted(set(re.findall(r"\bapp_kubernetes_io_\w+", queries))):
        if label not in {re.sub(r"\W", "_", name) for name in kept}:
            yield f"no monitor adds {label}"


def test_labels_of_runs_are_there_to_be_asked_for() -> None:
    queries = "".join(path.read_text(encoding="utf-8") for path in (*FOLDER.glob("*.yml"), *BOARDS.glob("*.json")))
    assert "app_kubernetes_io_instance" in queries
    assert list(lost_labels(render("production"), queries)) == []
    changed = planted(render("production"), "PodMonitor/spade-training", "/spec/podTargetLabels", REMOVED)
    assert list(lost_labels(changed, queries)) == ["no monitor adds app_kubernetes_io_instance"]


def test_monitors_and_rules_know_the_same_jobs() -> None:
    text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    jobs = {job["job_name"] for job in yaml.safe_load(text)["scrape_configs"]}
    assert set(scraped_jobs([*render("production"), *render("training-multi")])) == jobs
    queries = "".join(path.read_text(encoding="utf-8") for path in (*FOLDER.glob("*.yml"), *BOARDS.glob("*.json")))
    assert set(re.findall(r'\bjob!?=\\?"([^"\\]+)', queries)) == {"spade-worker", "spade-training"} <= jobs


@pytest.mark.parametrize(
    ("where", "path", "named"),
    [
        ("PodMonitor/spade-worker", "/spec/jobLabel", "spade/spade-worker"),
        ("PodMonitor/spade-training", "/spec/podMetricsEndpoints/0/relabelings", "spade/spade-training"),
        ("ServiceMonitor/spade-api", "/spec/jobLabel", "spade/spade-api"),
    ],
)
def test_a_job_that_no_rule_knows_is_noticed(where: str, path: str, named: str) -> None:
    changed = planted([*render("production"), *render("training-multi")], where, path, REMOVED)
    assert named in set(scraped_jobs(changed))


def test_the_rules_are_what_the_code_writes() -> None:
    written = (K8S / "components" / "monitoring" / "rules.yaml").read_text(encoding="utf-8")
    assert written == operator_rules(), "run `python -m deploy.prometheus`"


def test_the_rules_are_those_of_prometheus() -> None:
    groups = [group for path in sorted(FOLDER.glob("*.yml")) for group in yaml.safe_load(path.read_text())["groups"]]
    assert find(render("production"), "PrometheusRule/spade")["spec"] == {"groups": groups}


def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    for planted_fault, code in (("sum(", 0), ("sum((", 1)):
        rules.write_text(
            json.dumps(find(render("production"), "PrometheusRule/spade")["spec"]).replace("sum(", planted_fault)
        )
        done = subprocess.run([find_promtool(), "check", "rules", rules], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr


def test_every_dashboard_is_there_for_grafanas_sidecar() -> None:
    boards = {
        name: text
        for one in of_kind(render("production"), "ConfigMap")
        if one["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
        for name, text in one["data"].items()
    }
    assert boards == {path.name: path.read_text(encoding="utf-8") for path in BOARDS.glob("*.json")}


def test_queries_are_of_metrics_that_are_exported(manifests: list[Manifest], exported: set[str]) -> None:
    assert list(strange_metrics(manifests, exported)) == []


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("PrometheusRule/spade", "/spec/groups/0/rules/0/expr"),
        ("PrometheusRule/spade", "/spec/groups/1/rules/2/expr"),
        ("ScaledObject/spade-worker", "/spec/triggers/0/metadata/query"),
    ],
)
def test_a_metric_that_nobody_exports_is_noticed(where: str, path: str, exported: set[str]) -> None:
    changed = planted(render("production"), where, path, "sum(spade_queue_length) > 0")
    assert [fault for fault in strange_metrics(changed, exported) if "nobody exports spade_queue_length" in fault]
