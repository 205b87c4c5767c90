"""The rules as a resource of the Prometheus operator."""

from pathlib import Path
from textwrap import indent
from typing import Final

FOLDER: Final = Path(__file__).parent / "rules"
_HEAD: Final = """\
# Written by `python -m deploy.prometheus` from deploy/prometheus/rules/; change those.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: spade}
spec:
  groups:
"""


def operator_rules() -> str:
    """All groups of the files in FOLDER, as they are written there, in one PrometheusRule as YAML."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yml")))
    return _HEAD + "".join(indent(text.split("groups:\n")[1], "  ") for text in texts)
