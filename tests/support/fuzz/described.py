"""schemathesis on the API's own OpenAPI document: what it says, and what its cases were answered."""

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx

from support.fuzz.answers import Answer
from support.fuzz.cases import Case, Target

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance"),
    *("response_schema_conformance", "unsupported_method", "allow_header_conformance"),
)
PHASES = ("coverage", "fuzzing")
COVERING_CASES = 110  # of an operation, about, that the first phase makes however few are asked for
SENT_FILES = Path(__file__).with_name("sent_files.py")
OF_ONE_JOB = "^((get|cancel)_job|stream_events|get_picture|get_archive)$"  # and of one that there is
_MOST_SHOWN = 2000


def described_cases(
    url: str, *, requests: int, seed: int, target: Target
) -> tuple[list[tuple[Case, Answer]], list[str]]:
    """Every case with its answer, and what is wrong: what schemathesis found, and what it did not try."""
    operations = _operations(url)
    examples = max(1, requests // len(operations) - COVERING_CASES)
    with tempfile.TemporaryDirectory(prefix="spade-fuzz-") as name:
        folder = Path(name)
        # Made-up keys would all be refused before anything else; without any, this machine is let in.
        config = f'''
            hooks = "{SENT_FILES}"
            [generation]
            with-security-parameters = false
            [[operations]]
            include-operation-id-regex = "{OF_ONE_JOB}"
            parameters = {{ job_id = "{target.ended_job}" }}
        '''
        (folder / "schemathesis.toml").write_text(config)
        command = [
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", folder / "schemathesis.toml"),
            *("run", f"{url}/openapi.json", "--phases", ",".join(PHASES), "--max-examples", str(examples)),
            *("--seed", str(seed), "--checks", ",".join(CHECKS), "--continue-on-failure", "--max-failures", "1000"),
            *("--request-timeout", "60", "--suppress-health-check", "all", "--generation-database", "none"),
            *("--report", "json,ndjson", "--report-dir", folder / "reports", "--no-color"),
            *("--workers", "1"),  # Python 3.11 cannot parse source in two threads at a time (CPython issue 106905)
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        reports = {path.suffix: path.read_text() for path in (folder / "reports").glob("*")}
    if ".json" not in reports:
        return [], [f"schemathesis did not run: {(done.stdout + done.stderr)[-2000:]}"]
    said = json.loads(reports[".json"])
    wrong = [_shortened(failure) for failure in said["failures"]]
    if said["errors"]:  # of schemathesis itself; its report has but their titles
        wrong.append(done.stdout.partition(" ERRORS ")[2][:_MOST_SHOWN])
    sent = list(_sent(reports[".ndjson"]))
    tried = {(phase, operation) for phase, operation, _ in sent}
    wrong += [
        f"{operation} was sent nothing in the phase called {phase}"
        for phase, operation in product(PHASES, operations)
        if (phase, operation) not in tried
    ]
    return [
        (_case(operation, interaction), _answer(interaction["response"]))
        for _, operation, interaction in sent
        if interaction["response"] is not None
    ], wrong


def _operations(url: str) -> list[str]:
    """What the API's document describes, as schemathesis calls it: `GET /livez`."""
    paths = httpx.get(f"{url}/openapi.json", trust_env=False).raise_for_status().json()["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


def _sent(events: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every request, with the phase and the operation that it was made for."""
    for line in events.splitlines():
        if (scenario := json.loads(line).get("ScenarioFinished")) is not None:
            recorder = scenario["recorder"]
            for interaction in recorder.get("interactions", {}).values():
                yield scenario["phase"], recorder["label"], interaction


def _case(operation: str, interaction: dict[str, Any]) -> Case:
    return Case(category="OpenAPI", name=operation, data=b"", method=interaction["request"]["method"])


def _answer(response: dict[str, Any]) -> Answer:
    headers = {name.lower(): values[0] for name, values in response["headers"].items()}
    body = base64.b64decode((response.get("content") or {}).get("$base64", ""))
    return Answer(status=response["status_code"], headers=headers, body=body)


def _shortened(failure: dict[str, Any]) -> str:
    return json.dumps(failure)[:_MOST_SHOWN]
