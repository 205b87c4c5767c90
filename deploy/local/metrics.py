"""What watches the stack: the exporter of the queue's figures, and Prometheus where this machine has it."""

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.local.child import Program
from deploy.local.ports import LOOPBACK
from deploy.local.programs import find_prometheus
from deploy.local.servers import plain_environment, write_private
from deploy.local.services import answers

RULES: Final = resources.files("deploy") / "prometheus" / "rules"
KEY_FILE: Final = "metrics-key"
"""In the folder of Prometheus: an API key of scope `metrics`, for an API that has keys."""
_KEPT: Final = "15d"
_ANSWER_SECONDS: Final = 5.0
_REFUSALS: Final = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter(Program):
    """`spade-serve exporter` on 127.0.0.1."""

    port: int
    folder: Path
    service: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        return "exporter"

    def command(self) -> list[str]:
        options = ["--host", LOOPBACK, "--port", str(self.port), "--disk", str(self.folder)]
        return [sys.executable, "-P", "-m", "deploy.exporter_command", *options]

    def environment(self) -> Mapping[str, str]:
        return self.service

    def prepare(self) -> None:
        pass

    def is_ready(self) -> bool:
        return answers(f"http://{LOOPBACK}:{self.port}/readyz")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusServer(Program):
    """Prometheus on 127.0.0.1. `targets` has the ports of each job; recording rules and alerts are ours."""

    folder: Path
    port: int
    targets: Mapping[str, tuple[int, ...]]
    scrape_seconds: int = 5

    @property
    def name(self) -> str:
        return "prometheus"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def command(self) -> list[str]:
        return [
            str(find_prometheus()),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--storage.tsdb.retention.time={_KEPT}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            "--log.level=warn",
        ]

    def environment(self) -> Mapping[str, str]:
        return plain_environment()

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_private(self._config, json.dumps(self._configuration(), indent=1))  # JSON is YAML

    def is_ready(self) -> bool:
        return answers(f"{self.url}/-/ready")

    @property
    def _config(self) -> Path:
        return self.folder / "prometheus.yml"

    def _configuration(self) -> dict[str, Any]:
        seconds = f"{self.scrape_seconds}s"
        return {
            "global": {"scrape_interval": seconds, "scrape_timeout": seconds, "evaluation_interval": seconds},
            "rule_files": [f"{RULES}/*.yml"],
            "scrape_configs": [self._scraped(job, ports) for job, ports in self.targets.items()],
        }

    def _scraped(self, job: str, ports: tuple[int, ...]) -> dict[str, Any]:
        scraped = {"job_name": job, "static_configs": [{"targets": [f"{LOOPBACK}:{port}" for port in ports]}]}
        key = self.folder / KEY_FILE
        if job == "spade-api" and key.exists():
            return {**scraped, "authorization": {"credentials_file": str(key)}}
        return scraped


def metrics_refused(url: str, state: Path) -> str | None:
    """Why Prometheus is refused the metrics of the API at `url`, and what to do; None where it is not."""
    key = state / "prometheus" / KEY_FILE
    text = key.read_text(encoding="utf-8").strip() if key.exists() else None
    headers = {} if text is None else {"Authorization": f"Bearer {text}"}
    try:
        answer = httpx.get(f"{url}/metrics", headers=headers, timeout=_ANSWER_SECONDS, trust_env=False)
    except httpx.HTTPError:
        return None
    if answer.status_code not in _REFUSALS:
        return None
    why = f"{key} is not there" if text is None else f"what is in {key} is no key of scope metrics"
    state_option = f"--state {shlex.quote(str(state))}"
    command = f"spade-serve keys create --name prometheus --scope metrics {state_option} > {shlex.quote(str(key))}"
    return f"the API has keys, and Prometheus gets no metrics of it: {why}; make one, then start again: {command}"
