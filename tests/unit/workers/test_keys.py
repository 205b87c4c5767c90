"""API keys as values, and the limits that go with them."""

import dataclasses
import time

import pytest

from workers.errors import KeySettingsError
from workers.keys import KeyRecord, Scope, new_key, revoked, rotated, split_key
from workers.limits import KeyLimits, Rate
from workers.logs import without_secrets

LIMITS = KeyLimits(rate=Rate(requests=5, seconds=60), max_items=7, storage_bytes=2**40)


@pytest.fixture
def key():
    return new_key(name="Ann's", scopes=frozenset({Scope.JOBS}), limits=LIMITS)


def secret_of(key):
    return split_key(key.text)[1]


def test_a_key_says_which_record_it_belongs_to_and_only_its_secret_opens_it(key):
    key_id, secret = split_key(key.text)
    assert key_id == key.record.id == key.record.owner
    assert key.record.accepts(secret)
    assert not key.record.accepts(secret[:-1] + ("0" if secret[-1] != "0" else "1"))
    assert not key.record.accepts("")


def test_nothing_that_is_stored_or_printed_holds_the_secret(key):
    secret = secret_of(key)
    assert secret not in key.record.to_json()
    for text in (repr(key), repr(key.record), repr(key.record.secrets[0]), str(dataclasses.asdict(key.record))):
        assert secret not in text
    assert key.record.secrets[0].digest not in repr(key)
    assert secret not in without_secrets(f"/v1/jobs/{key.text}?key={key.text}")


def test_a_record_is_read_as_it_was_written(key):
    changed = rotated(key.record, grace_seconds=10).record
    assert KeyRecord.from_json(changed.to_json()) == changed


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 1}', "null", '{"scopes": ["everything"], "secrets": []}'])
def test_a_damaged_record_is_no_record(text):
    with pytest.raises((ValueError, TypeError, KeyError)):
        KeyRecord.from_json(text)


def test_equal_secrets_do_not_show(key):
    other = new_key(name="b", scopes=frozenset({Scope.JOBS}), limits=LIMITS)
    assert key.record.secrets[0].salt != other.record.secrets[0].salt


def test_a_rotated_key_keeps_all_but_its_secret_and_the_old_one_for_a_while(key):
    new = rotated(key.record, grace_seconds=3600)
    assert (new.record.id, new.record.owner, new.record.limits) == (key.record.id, key.record.owner, LIMITS)
    assert new.text != key.text
    assert new.record.accepts(secret_of(new))
    assert new.record.accepts(secret_of(key))
    until_ms = new.record.secrets[1].valid_until_ms
    assert abs(until_ms / 1000 - time.time() - 3600) < 60


def test_a_key_rotated_without_grace_opens_to_the_new_secret_only(key):
    new = rotated(key.record, grace_seconds=0)
    assert new.record.accepts(secret_of(new))
    assert not new.record.accepts(secret_of(key))
    assert len(new.record.secrets) == 1


def test_a_second_rotation_does_not_prolong_the_first_secret(key):
    once = rotated(key.record, grace_seconds=60).record
    twice = rotated(once, grace_seconds=10**6).record
    assert twice.secrets[-1].valid_until_ms == once.secrets[-1].valid_until_ms
    assert len(twice.secrets) == 3


def test_a_secret_whose_grace_is_over_opens_nothing(key):
    old = dataclasses.replace(key.record.secrets[0], valid_until_ms=1)
    assert not dataclasses.replace(key.record, secrets=(old,)).accepts(secret_of(key))


def test_a_revoked_key_opens_nothing_and_keeps_when_it_was_revoked(key):
    gone = revoked(key.record)
    assert not gone.accepts(secret_of(key))
    assert revoked(gone).revoked_ms == gone.revoked_ms


@pytest.mark.parametrize("scope", Scope)
def test_an_admins_key_is_for_everything_and_others_for_what_they_say(scope):
    admin = new_key(name="a", scopes=frozenset({Scope.ADMIN}), limits=KeyLimits()).record
    metrics = new_key(name="m", scopes=frozenset({Scope.METRICS}), limits=KeyLimits()).record
    assert admin.allows(scope)
    assert metrics.allows(scope) == (scope is Scope.METRICS)


@pytest.mark.parametrize("owner", ["", "Ann", "a/b", "a:b", "../x", "-a", "x" * 41, "a b"])
def test_an_owner_that_could_be_mistaken_in_a_path_is_refused(owner):
    with pytest.raises(KeySettingsError, match="lower-case letters, digits and hyphens"):
        new_key(name="a", scopes=frozenset(), limits=KeyLimits(), owner=owner)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101])
def test_a_name_that_would_spoil_a_table_is_refused(name):
    with pytest.raises(KeySettingsError, match="printable characters"):
        new_key(name=name, scopes=frozenset(), limits=KeyLimits())


@pytest.mark.parametrize(
    "text", ["", "spade_", "spade_0123456789abcdef_", "spade_0123456789abcdef_" + "g" * 64, "x" * 10**6]
)
def test_a_text_of_another_form_is_no_key(text):
    assert split_key(text) is None


@pytest.mark.parametrize(("text", "seconds"), [("10/s", 1), ("100/min", 60), ("5000/h", 3600)])
def test_a_rate_is_read_as_it_is_written(text, seconds):
    assert Rate.parse(text).seconds == seconds
    assert str(Rate.parse(text)) == text


@pytest.mark.parametrize("text", ["", "10", "0/s", "-1/s", "1.5/s", "10/day", "10 /s", "٣/s"])
def test_another_rate_is_refused(text):
    with pytest.raises(KeySettingsError, match="like 10/s, 100/min or 5000/h"):
        Rate.parse(text)


def test_a_limit_below_one_is_refused():
    with pytest.raises(KeySettingsError, match="max_items is 0; it must be 1 or more"):
        KeyLimits(max_items=0)
