"""`spade-serve requeue`, told by the environment where Redis and the object store are."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from support.bench import Bench
from support.recovery import Recoverer
from workers.messages import State, spec_key
from workers.redis_client import RedisClient
from workers.storage import ObjectStore


@pytest.fixture
def jobs(redis_client: RedisClient, objects: ObjectStore) -> Recoverer:
    return Recoverer.of(Bench(redis_client, objects))


@pytest.fixture
def run(service_environment: dict[str, str]) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env=service_environment)

    return run


def test_requeue_brings_back_what_redis_has_lost(run: Callable[..., Result], jobs: Recoverer) -> None:
    jobs.submit("ended", 2)
    jobs.work()
    jobs.submit("waiting", 3)
    jobs.bench.client.flushall()
    done = run("requeue", "--from-store")
    assert done.exit_code == 0, done.output
    assert done.output == (
        "1 jobs go on, 1 ended ones can be read again, 0 were known; items taken back: 3 queued, 2 succeeded\n"
    )
    assert jobs.states("waiting") == [State.QUEUED] * 3
    again = json.loads(run("requeue", "--from-store", "--json").output)
    assert again == {"jobs": {"known": 2}, "items": {}, "unreadable": []}


def test_requeue_names_what_it_could_not_read_and_fails(run: Callable[..., Result], jobs: Recoverer) -> None:
    jobs.bench.objects.put(spec_key("damaged"), b"{")
    done = run("requeue", "--from-store")
    assert done.exit_code == 1
    assert "Error: 1 stored jobs cannot be read: damaged; see to" in done.output


def test_requeue_has_to_be_told_from_where(run: Callable[..., Result]) -> None:
    done = run("requeue")
    assert done.exit_code == 2
    assert "--from-store" in done.output


def test_without_a_service_requeue_says_how_to_name_one(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main, ["requeue", "--from-store", "--state", f"{tmp_path}/none"], env={"SPADE_REDIS_URL": ""}
    )
    assert done.exit_code == 1
    assert "no service is known" in done.output
