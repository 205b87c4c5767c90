"""Where traces go, and what is said where they cannot."""

import subprocess
import sys

import pytest

from workers.errors import SettingsError
from workers.settings import Settings
from workers.trace_settings import TraceSettings
from workers.traces import NO_SPAN, Service, Traces, start_traces


def test_traces_are_off_unless_somebody_says_where_they_go() -> None:
    traces = start_traces(TraceSettings(), Service.API)
    assert type(traces) is Traces
    assert traces.request("POST", "/v1/jobs", "00-" + "1" * 32 + "-" + "2" * 16 + "-01") is NO_SPAN
    assert NO_SPAN.child("store").traceparent is None


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "ftp://host", "http://", "http://ann:secret@host"])
def test_an_endpoint_that_is_no_plain_url_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingsError, match=r"SPADE_TRACES_ENDPOINT is .* it must be like http"):
        TraceSettings(endpoint=endpoint)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_a_ratio_is_a_share(ratio: float) -> None:
    with pytest.raises(SettingsError, match=r"SPADE_TRACES_RATIO is .*; it must be 0 to 1"):
        TraceSettings(ratio=ratio)


def test_without_opentelemetry_an_endpoint_is_refused_and_everything_else_works() -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None
import api.app, workers.runtime
from workers.errors import SettingsError
from workers.trace_settings import TraceSettings
TraceSettings()
try:
    TraceSettings(endpoint="http://127.0.0.1:4318")
except SettingsError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == (
        "SPADE_TRACES_ENDPOINT is set and OpenTelemetry is not installed; install the extra [traces], or leave the "
        "variable empty\n"
    )


def test_where_they_go_and_how_many_is_told_by_the_environment() -> None:
    needed = {
        "SPADE_REDIS_URL": "redis://127.0.0.1",
        "SPADE_S3_ENDPOINT": "127.0.0.1:9",
        "SPADE_S3_ACCESS_KEY": "a",
        "SPADE_S3_SECRET_KEY": "s",
    }
    assert Settings.from_environment(needed).traces == TraceSettings()
    told = {"SPADE_TRACES_ENDPOINT": "https://otlp.example/base", "SPADE_TRACES_RATIO": "0.25"}
    read = Settings.from_environment({**needed, **told}).traces
    assert read == TraceSettings(endpoint="https://otlp.example/base", ratio=0.25)
    with pytest.raises(SettingsError, match="SPADE_TRACES_RATIO is 'some'; it must be a number"):
        Settings.from_environment({**needed, "SPADE_TRACES_RATIO": "some"})
