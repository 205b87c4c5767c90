"""Malformed requests to a real API, in a form that takes half a minute; `make fuzz` sends ten thousand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

TESTS = Path(__file__).parents[1]


def test_no_malformed_request_breaks_the_api_or_keeps_others_waiting():
    command = [sys.executable, "-m", "support.fuzz", "--requests", "600", "--seed", "7", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    report = json.loads(done.stdout)
    assert report["violations"] == {}
    assert done.returncode == 0
    assert report["requests"] >= 600
    assert report["canary"]["errors"] == 0
