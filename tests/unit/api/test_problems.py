"""The table from error classes to problems."""

import inspect

import pytest

from api import errors, problems
from api.problems import INTERNAL, KINDS, kind_of
from spade.errors import SpadeError
from workers import errors as worker_errors
from workers.errors import JobUnknownError, QueueUnavailableError, SettingsError


def test_every_error_of_the_api_has_an_answer():
    abstract = {errors.ApiError, errors.RefusedError}
    own = {item for _, item in inspect.getmembers(errors, inspect.isclass) if issubclass(item, errors.ApiError)}
    assert own - abstract <= set(KINDS)


def test_every_error_of_the_queue_has_an_answer():
    elsewhere = {
        worker_errors.ServiceError,
        SettingsError,
        worker_errors.DeadLetterUnknownError,
        worker_errors.KeyUnknownError,
        worker_errors.KeySettingsError,
        worker_errors.EngineUnavailableError,
        worker_errors.EngineFailedError,
    }  # at the start, at a terminal, in a worker
    members = inspect.getmembers(worker_errors, inspect.isclass)
    assert {item for _, item in members if issubclass(item, worker_errors.ServiceError)} - elsewhere <= set(KINDS)


def test_names_of_problems_are_unique_slugs():
    slugs = [kind.slug for kind in KINDS.values()]
    assert len(set(slugs)) == len(slugs)
    assert all(slug == slug.lower() and " " not in slug for slug in slugs)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.slug)
def test_those_who_may_come_back_are_told_when(kind):
    assert (kind.status == 503) <= (kind.retry_after_seconds is not None)


def test_a_subclass_is_answered_like_its_base():
    class StrangerError(JobUnknownError):
        pass

    assert kind_of(StrangerError("x")) is KINDS[JobUnknownError]


@pytest.mark.parametrize("error", [ValueError("x"), SpadeError("x"), SettingsError("x")])
def test_an_error_outside_the_table_is_the_services_own(error):
    assert kind_of(error) is INTERNAL


def test_an_away_part_is_not_described_to_clients():
    assert problems.KINDS[QueueUnavailableError].detail == problems.TRY_AGAIN
