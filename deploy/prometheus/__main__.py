"""Writes the rules for Kubernetes: `python -m deploy.prometheus`, in a checkout."""

from pathlib import Path

from deploy.prometheus.operator_rules import operator_rules

if __name__ == "__main__":
    manifest = Path(__file__).parents[2] / "k8s" / "components" / "monitoring" / "rules.yaml"
    manifest.write_text(operator_rules(), encoding="utf-8")
