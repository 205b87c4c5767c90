"""What the local stack tells its processes, before any of them is started."""

from pathlib import Path

import pytest

from deploy.local.services import Worker
from deploy.local.stack import LocalStack
from workers.errors import SettingsError


def stack(state: Path, *, workers: int = 1, **environment: str) -> LocalStack:
    return LocalStack(state, environment=environment, report=lambda _: None, workers=workers)


@pytest.mark.parametrize(("workers", "threads"), [(1, "6"), (2, "3"), (4, "1"), (8, "1")])
def test_workers_share_out_the_cpus_that_they_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, threads: str
) -> None:
    monkeypatch.setattr("deploy.local.stack.usable_cpus", lambda: 6)
    started = stack(tmp_path, workers=workers)
    started.stop()  # before anything is started
    started.run(on_ready=lambda: None)
    programs = [child.program for child in started.children]
    told = [program.service["SPADE_THREADS"] for program in programs if isinstance(program, Worker)]
    assert told == [threads] * workers


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SPADE_PRECISION", "fp8", "SPADE_PRECISION is 'fp8'; it must be one of float32, bfloat16, float16"),
        ("SPADE_COMPILE", "maybe", "SPADE_COMPILE is 'maybe'"),
        ("SPADE_CACHE_BYTES", "-1", "cache_bytes is -1"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_started(
    tmp_path: Path, name: str, value: str, message: str
) -> None:
    refused = stack(tmp_path, **{name: value})
    refused.stop()  # where the setting was not refused, nothing should be started either
    with pytest.raises(SettingsError, match=message):
        refused.run(on_ready=lambda: None)
    assert refused.children == []
