"""Keys of requests that may be repeated."""

import re

import pytest

from api.errors import ParametersRefusedError
from api.idempotency import KEY_PATTERN, keyed_job_id, read_key


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (r'"a\"b\\c"', r'a"b\c'),
        ('half"', 'half"'),
        ('"', '"'),
        ("two words", "two words"),
        ("x" * 255, "x" * 255),
    ],
)
def test_keys_are_read_with_quotation_marks_and_without(header: str, key: str) -> None:
    assert read_key(header) == key


@pytest.mark.parametrize("header", ["", '""', "x" * 256, "é", "a\tb", "\x7f"])
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(ParametersRefusedError, match="Idempotency-Key: it must have 1 to 255 printable characters"):
        read_key(header)


@pytest.mark.parametrize("key", ["k", 'k"', "k" * 255, "two words", r'"a\"b\\c"', '"' + "k" * 255 + '"'])
def test_what_is_documented_as_a_key_is_one(key: str) -> None:
    assert re.search(KEY_PATTERN, key)
    read_key(key)


@pytest.mark.parametrize("header", ["", '""', '"', "k" * 256, '"' + "k" * 256 + '"', "\u00e9", "a\tb", "\x7f", " k"])
def test_what_is_no_key_is_not_documented_as_one(header: str) -> None:
    assert not re.search(KEY_PATTERN, header)


def test_owner_and_key_make_an_id_that_no_client_can_choose() -> None:
    assert keyed_job_id("ann", "k") == keyed_job_id("ann", '"k"')
    ids = {keyed_job_id(owner, key) for owner, key in [("ann", "k"), ("bob", "k"), ("ann", "l"), ("a", "nnk")]}
    assert len(ids) == 4
    assert all(re.fullmatch(r"key~[a-z2-7]{26}", job_id) for job_id in ids)
