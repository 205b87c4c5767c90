"""`spade-serve requeue`, `dead-letters` and `audit`, told by the environment where Redis and the object store are."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from deploy.local.child import Child
from deploy.local.stack import stack_servers
from deploy.local.state import StateFolder
from support.bench import Bench
from support.jobs import claim_batch
from support.recovery import Recoverer
from workers.messages import State, label_map_key, spec_key
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


def give_up(jobs: Recoverer) -> None:
    jobs.submit("bad", 1)
    for _ in range(3):
        jobs.bench.recorder.record(jobs.bench.store.lose(claim_batch(jobs.bench.store).items, detail="it crashed"))


def test_dead_letters_are_listed_shown_and_put_back(run: Callable[..., Result], jobs: Recoverer) -> None:
    give_up(jobs)
    listed = run("dead-letters", "list")
    assert "bad:0" in listed.output
    assert "1 of 1 dead letters" in listed.output
    assert json.loads(run("dead-letters", "list", "--json").output)["total"] == 1
    shown = json.loads(run("dead-letters", "show", "bad:0", "--json").output)
    assert (shown["detail"], shown["model"], shown["attempts"]) == ("it crashed", "landscape@1", 3)
    assert "it crashed" in run("dead-letters", "show", "bad:0").output
    retried = run("dead-letters", "retry", "bad:0")
    assert (retried.exit_code, retried.output) == (0, "1 of 1 items put back\n")
    assert jobs.work() == ["bad:0"]
    assert jobs.states("bad") == [State.SUCCEEDED]


def test_what_is_no_dead_letter_is_told(run: Callable[..., Result], jobs: Recoverer) -> None:
    give_up(jobs)
    assert run("dead-letters", "show", "bad:1").exit_code == 1
    refused = run("dead-letters", "retry", "bad:1", "bad:0", "--json")
    assert refused.exit_code == 1
    assert "1 items not put back; bad:1 is no dead letter" in refused.output
    assert jobs.states("bad") == [State.QUEUED]
    assert run("dead-letters", "retry").exit_code == 2
    assert json.loads(run("dead-letters", "retry", "--all", "--json").output) == {"items": {}}


def test_an_audit_counts_the_items_and_fails_where_something_is_wrong(
    run: Callable[..., Result], jobs: Recoverer
) -> None:
    jobs.jobs_in_all_states()
    good = run("audit")
    assert good.exit_code == 0, good.output
    assert "7 jobs and" in good.output
    jobs.bench.objects.put(label_map_key("refused", 0), b"x")
    assert run("audit").exit_code == 0  # it may be on its way
    bad = run("audit", "--safe-age", "0")
    assert bad.exit_code == 1
    assert "orphan-object" in bad.output
    assert "Error: 1 things are wrong; --fix mends what can be mended" in bad.output
    report = json.loads(run("audit", "--safe-age", "0", "--fix", "--digests", "--json").output)
    assert report["ok"] is True
    assert report["items"] == {
        "accepted": 19, "succeeded": 9, "failed": 2, "canceled": 2, "expired": 1, "open": 5
    }  # fmt: skip
    assert report["faults"] == {"orphan-object": {"found": 1, "mended": 1, "examples": [label_map_key("refused", 0)]}}
    assert run("audit", "--safe-age", "0").exit_code == 0


def test_the_stack_of_a_state_folder_is_found(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    with folder.locked():
        redis, s3 = stack_servers(folder, folder.configure(port=None, workers=1))
    with Child(redis, log=tmp_path / "redis.log"), Child(s3, log=tmp_path / "s3.log"):
        done = CliRunner().invoke(main, ["audit", "--state", str(folder.path), "--json"], env={"SPADE_REDIS_URL": ""})
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["jobs"] == 0


def test_without_a_service_requeue_says_how_to_name_one(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main, ["requeue", "--from-store", "--state", f"{tmp_path}/none"], env={"SPADE_REDIS_URL": ""}
    )
    assert done.exit_code == 1
    assert "no service is known" in done.output
