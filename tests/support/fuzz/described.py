"""schemathesis on the API's own OpenAPI document: what it says, and what its cases were answered."""

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.fuzz.answers import Answer
from support.fuzz.cases import Case, Target

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance"),
    *("response_schema_conformance", "unsupported_method", "allow_header_conformance"),
)
_MOST_SHOWN = 2000
OPERATIONS = 14
NOT_FUZZED = 110  # cases of an operation, about, that the phase called coverage makes however few are asked for


def described_cases(
    url: str, *, requests: int, seed: int, target: Target
) -> tuple[list[tuple[Case, Answer]], list[str]]:
    """Every case with its answer, and what schemathesis found wrong."""
    examples = max(1, requests // OPERATIONS - NOT_FUZZED)
    with tempfile.TemporaryDirectory(prefix="spade-fuzz-") as name:
        folder = Path(name)
        # Made-up keys would all be refused before anything else; without any, this machine is let in.
        config = f'''
            [generation]
            with-security-parameters = false
            [[operations]]
            include-path-regex = "job_id"
            include-method = "GET"
            parameters = {{ job_id = "{target.ended_job}" }}
        '''
        (folder / "schemathesis.toml").write_text(config)
        command = [
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", folder / "schemathesis.toml"),
            *("run", f"{url}/openapi.json", "--phases", "coverage,fuzzing", "--max-examples", str(examples)),
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
    return list(_answers(reports[".ndjson"])), wrong


def _answers(events: str) -> Iterator[tuple[Case, Answer]]:
    for line in events.splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for interaction in recorder.get("interactions", {}).values():
            asked, response = interaction["request"], interaction["response"]
            if response is None:
                continue
            case = Case(category="OpenAPI", name=recorder["label"], data=b"", method=asked["method"])
            headers = {name.lower(): values[0] for name, values in response["headers"].items()}
            body = base64.b64decode((response.get("content") or {}).get("$base64", ""))
            yield case, Answer(status=response["status_code"], headers=headers, body=body)


def _shortened(failure: dict[str, Any]) -> str:
    return json.dumps(failure)[:_MOST_SHOWN]
