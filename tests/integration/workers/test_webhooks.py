"""Receivers are told that jobs have ended: signed, again where it failed, by another worker where one was killed."""

import pytest

from support.jobs import OWNER, claim_batch, job_spec
from support.receivers import OTHER_SECRET, SECRET, answering, endless, hanging, receiving, trickling
from support.waiting import wait_until
from workers import webhooks
from workers.redis_client import PREFIX
from workers.webhook_messages import WebhookState, WebhookView
from workers.webhook_settings import WebhookSettings
from workers.webhook_store import WebhookStore
from workers.webhook_targets import WebhookTargets


def test_a_receiver_is_told_in_a_signed_message(receiver, delivering, end, settled, reader) -> None:
    with delivering(public_url="https://spade.example/") as registry:
        end(receiver.url, labels={"order": "7"})
        view = settled()
    assert (view.state, view.attempts, view.error) == (WebhookState.DELIVERED, 1, None)
    assert view.delivered_ms >= reader.job("j").finished_ms
    assert receiver.paths == ["/hook?a=b"]
    assert receiver.headers[0]["Content-Type"] == "application/json"
    assert receiver.headers[0]["Host"] == receiver.url.split("/")[2]
    counts = {"total": 1, "queued": 0, "running": 0, "succeeded": 1, "failed": 0, "canceled": 0, "expired": 0}
    [(message_id, message)] = receiver.messages
    assert message_id == "msg_j_1"
    assert message.pop("timestamp").endswith("Z")
    assert message == {
        "type": "job.succeeded",
        "data": {
            "id": "j",
            "state": "succeeded",
            "counts": counts,
            "labels": {"order": "7"},
            "href": "https://spade.example/v1/jobs/j",
        },
    }
    assert registry.get_sample_value("spade_webhooks_total", {"outcome": "delivered"}) == 1


def test_every_end_is_told_and_an_open_job_is_not(receiver, delivering, job_store, settled, webhook) -> None:
    for job_id, changes in {"canceled": {}, "expired": {"deadline_seconds": 0.0}, "failed": {}, "open": {}}.items():
        job_store.submit(job_spec(job_id, webhook=receiver.url, **changes))
    job_store.submit(job_spec("without"))
    job_store.cancel("without", owner=OWNER)
    job_store.cancel("canceled", owner=OWNER)
    job_store.reap()
    job_store.fail(claim_batch(job_store, items=1).items, reason="poison", detail="three attempts were lost")
    with delivering():
        for job_id in ("canceled", "expired", "failed"):
            assert settled(job_id).state is WebhookState.DELIVERED
    types = {message["data"]["id"]: message["type"] for _, message in receiver.messages}
    assert types == {"canceled": "job.canceled", "expired": "job.expired", "failed": "job.failed"}
    assert webhook("open") == WebhookView(url=receiver.url)


def test_what_is_still_to_be_told_is_counted(end, reader, redis_client) -> None:
    for number, owner in enumerate(("ann", "bob", "bob")):
        end("http://127.0.0.1:9/", f"j{number}", owner=owner)
    assert reader.stats().pending_webhooks == 3
    [delivery] = WebhookStore(redis_client).take(lease_seconds=60, most=1, most_of_one=9, in_hand={})
    assert reader.stats().pending_webhooks == 3
    WebhookStore(redis_client).delivered(delivery)
    assert reader.stats().pending_webhooks == 2


def test_every_secret_signs_so_that_one_can_be_replaced(receiver, delivering, end, settled) -> None:
    with delivering(secrets=(OTHER_SECRET, SECRET)):
        end(receiver.url)
        assert settled().state is WebhookState.DELIVERED  # the receiver knows the second only
    assert len(receiver.headers[0]["webhook-signature"].split()) == 2


def test_a_delivery_that_fails_is_repeated_with_the_same_id(receiver, delivering, end, settled) -> None:
    receiver.answers = [answering(500), answering(429)]
    with delivering() as registry:
        end(receiver.url)
        assert settled().attempts == 3
    assert receiver.ids == ["msg_j_1"] * 3
    assert registry.get_sample_value("spade_webhooks_total", {"outcome": "postponed"}) == 2


def test_the_last_error_is_shown_while_it_is_tried_again(receiver, delivering, end, webhook) -> None:
    receiver.otherwise = answering(503)
    with delivering(first_retry_seconds=3600.0):
        end(receiver.url)
        wait_until(lambda: webhook().error, "the first attempt has failed", seconds=30)
    assert webhook().state is WebhookState.PENDING
    assert webhook().error == "the receiver answered 503 Service Unavailable"


def test_after_so_many_attempts_it_is_given_up(receiver, delivering, end, settled, redis_client) -> None:
    receiver.otherwise = answering(500)
    with delivering(max_attempts=3):
        end(receiver.url)
        view = settled()
    assert (view.state, view.attempts) == (WebhookState.FAILED, 3)
    assert view.error == "the receiver answered 500 Internal Server Error"
    assert len(receiver.messages) == 3
    assert redis_client.zcard(f"{PREFIX}webhooks") == redis_client.zcard(f"{PREFIX}webhooks:{OWNER}") == 0


def test_a_receiver_that_is_gone_is_not_asked_again(receiver, delivering, end, settled) -> None:
    receiver.otherwise = answering(410)
    with delivering():
        end(receiver.url)
        assert settled().state is WebhookState.FAILED
    assert len(receiver.messages) == 1


def test_redirects_are_not_followed(receiver, delivering, end, settled) -> None:
    receiver.otherwise = answering(307, Location=receiver.url.replace("hook", "elsewhere"))
    with delivering(max_attempts=1):
        end(receiver.url)
        assert settled().error == "the receiver answered 307 Temporary Redirect; redirects are not followed"
    assert receiver.paths == ["/hook?a=b"]


@pytest.mark.parametrize("how", [hanging, trickling], ids=["hangs", "trickles"])
def test_a_receiver_that_hangs_costs_no_more_than_the_time_limit(receiver, delivering, end, settled, never, how):
    receiver.otherwise = how(never)
    with delivering(max_attempts=1, timeout_seconds=1.0):
        end(receiver.url)
        assert settled().error == "no answer within 1 s"


def test_the_body_of_an_answer_is_not_read(receiver, delivering, end, settled) -> None:
    receiver.otherwise = endless
    with delivering():
        end(receiver.url)
        assert settled().state is WebhookState.DELIVERED


def test_nobody_listening_is_a_failure(delivering, end, settled) -> None:
    with receiving() as gone:
        url = gone.url
    with delivering(max_attempts=2):
        end(url)
        assert settled().error == "no answer: ConnectError"


def test_receivers_that_hang_do_not_keep_other_owners_waiting(receiver, delivering, end, settled, never):
    with receiving() as hung:
        hung.otherwise = hanging(never)
        for number in range(webhooks.MAX_DELIVERIES + 4):
            end(hung.url, f"hung-{number}", owner="bob")
        with delivering(timeout_seconds=30.0):
            wait_until(lambda: len(hung.messages) >= webhooks.MAX_DELIVERIES_OF_ONE_OWNER, "all of bob's places")
            end(receiver.url)
            settled()
            assert len(hung.messages) == webhooks.MAX_DELIVERIES_OF_ONE_OWNER
            never.set()


def test_a_name_that_leads_elsewhere_by_the_time_of_delivery_is_not_called(receiver, delivering, end, settled):
    asked = iter([["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34", "127.0.0.1"]])
    targets = WebhookTargets(WebhookSettings().policy, resolve=lambda _host, _port: next(asked))
    url = receiver.url.replace("127.0.0.1", "rebound.example")
    targets.check(url)  # as the API does, when the job is submitted
    with delivering(targets=targets, max_attempts=2):
        end(url)
        assert "has an address that is not public" in settled().error
    assert receiver.messages == []


def test_the_connection_is_made_to_the_address_that_was_judged(receiver, delivering, end, settled) -> None:
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    targets = WebhookTargets(WebhookSettings(allow=("127.0.0.1",)).policy, resolve=resolve)
    with delivering(targets=targets):
        end(receiver.url.replace("127.0.0.1", "named.invalid"))  # which no other resolver would find
        assert settled().state is WebhookState.DELIVERED
    assert asked == ["named.invalid"]
    assert receiver.headers[0]["Host"].startswith("named.invalid:")
