"""Webhooks are told once and for sure, whoever dies, and also after Redis has lost everything."""

from support.jobs import OWNER, claim_batch, finish, job_spec
from support.receivers import hanging
from support.recovery import Recoverer
from support.waiting import wait_until
from workers.recorder import Recorder
from workers.redis_client import PREFIX
from workers.repairs import Repairs
from workers.webhook_messages import WebhookState, WebhookView
from workers.webhook_settings import WebhookSettings
from workers.webhook_store import WebhookStore
from workers.webhook_targets import WebhookTargets


def test_a_delivery_whose_worker_died_is_taken_by_another_when_its_lease_has_run_out(
    redis_client, receiver, delivering, end, settled
) -> None:
    end(receiver.url)
    dead = WebhookStore(redis_client).take(lease_seconds=0.5, most=9, most_of_one=9, in_hand={})
    assert [(delivery.job_id, delivery.attempt) for delivery in dead] == [("j", 1)]
    assert WebhookStore(redis_client).take(lease_seconds=0.5, most=9, most_of_one=9, in_hand={}) == ()
    with delivering():
        view = settled()
    assert (view.state, view.attempts) == (WebhookState.DELIVERED, 2)
    WebhookStore(redis_client).give_up(dead[0], error="it was late")
    assert settled() == view


def test_what_a_stopped_deliverer_had_on_its_way_is_delivered_by_the_next(
    receiver, delivering, end, settled, never
) -> None:
    receiver.answers = [hanging(never)]
    with delivering(timeout_seconds=0.5):
        end(receiver.url)
        wait_until(lambda: receiver.messages, "the first attempt is on its way")
    with delivering():
        assert settled().state is WebhookState.DELIVERED
    assert set(receiver.ids) == {"msg_j_1"}


def test_a_job_that_is_opened_again_tells_its_next_end_as_a_message_of_its_own(
    receiver, delivering, job_store, redis_client, settled, webhook
) -> None:
    job_store.submit(job_spec("j", webhook=receiver.url))
    for _ in range(3):
        job_store.lose(claim_batch(job_store).items, detail="it died")
    late = WebhookStore(redis_client).take(lease_seconds=60, most=9, most_of_one=9, in_hand={})
    Repairs(redis_client).retry([("j:0", "")])
    WebhookStore(redis_client).give_up(late[0], error="of the end before")
    assert webhook() == WebhookView(url=receiver.url)
    finish(job_store, claim_batch(job_store))
    with delivering():
        settled()
    assert [(message_id, message["type"]) for message_id, message in receiver.messages] == [
        ("msg_j_2", "job.succeeded")
    ]


def test_a_forgotten_job_is_told_to_nobody(receiver, delivering, end, job_store, redis_client, settled) -> None:
    end(receiver.url)
    job_store.forget("j")
    assert redis_client.zcard(f"{PREFIX}webhooks") == 0
    with delivering():
        end(receiver.url, "k")
        settled("k")
    assert receiver.ids == ["msg_k_1"]


def test_a_delivery_of_a_job_that_is_not_there_is_dropped(redis_client) -> None:
    for key, name in ((f"{PREFIX}webhooks", OWNER), (f"{PREFIX}webhooks:{OWNER}", "nowhere")):
        redis_client.zadd(key, {name: 1})
    assert WebhookStore(redis_client).take(lease_seconds=60, most=9, most_of_one=9, in_hand={}) == ()
    assert list(redis_client.scan_iter(f"{PREFIX}*")) == []


def test_an_error_of_the_service_itself_is_an_attempt_too(receiver, delivering, end, settled) -> None:
    class Broken(WebhookTargets):
        def judge(self, url: str):
            raise RuntimeError(url)

    with delivering(targets=Broken(WebhookSettings().policy), max_attempts=2):
        end(receiver.url)
        view = settled()
    assert (view.state, view.attempts) == (WebhookState.FAILED, 2)
    assert view.error == "an error of the service itself; its logs have more"


# After Redis has lost everything


def test_jobs_taken_back_from_the_store_still_tell_their_end(bench, receiver, delivering, settled) -> None:
    recoverer = Recoverer.of(bench)
    recoverer.submit("waiting", 2, webhook=receiver.url)
    recoverer.submit("ended", 1, webhook=receiver.url)
    bench.recorder.record(bench.store.cancel("ended", owner=OWNER)[1])
    bench.client.flushall()
    recoverer.recovery.requeue()
    recoverer.work()
    with delivering():
        assert settled("waiting").state is settled("ended").state is WebhookState.DELIVERED
    assert sorted(receiver.ids) == ["msg_ended_1", "msg_waiting_1"]


def test_what_was_delivered_before_is_not_told_again(bench, receiver, delivering, settled) -> None:
    recoverer = Recoverer.of(bench)
    recoverer.submit("told", 1, webhook=receiver.url)
    recoverer.work()
    with delivering():
        told = settled("told")
    bench.recorder.record_leftovers()
    bench.client.flushall()
    recoverer.recovery.requeue()
    assert settled("told") == told
    assert bench.client.zcard(f"{PREFIX}webhooks") == 0
    Recorder(store=bench.store, reader=bench.reader, objects=bench.objects).record_leftovers()
    assert bench.reader.job("told").endings == 1
