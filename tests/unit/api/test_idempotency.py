"""Keys of requests that may be repeated."""

import re

import pytest

from api.errors import ParametersRefusedError
from api.idempotency import keyed_job_id, read_key


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


def test_owner_and_key_make_an_id_that_no_client_can_choose() -> None:
    assert keyed_job_id("ann", "k") == keyed_job_id("ann", '"k"')
    ids = {keyed_job_id(owner, key) for owner, key in [("ann", "k"), ("bob", "k"), ("ann", "l"), ("a", "nnk")]}
    assert len(ids) == 4
    assert all(re.fullmatch(r"key~[a-z2-7]{26}", job_id) for job_id in ids)
