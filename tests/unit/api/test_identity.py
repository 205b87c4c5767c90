"""Which items count as identical."""

import dataclasses

import pytest

from api.identity import identities
from support.jobs import job_spec
from workers.bulk_inputs import BulkInputs
from workers.messages import JobSpec, instance_map_key, label_map_key
from workers.styles import Style


def identity(spec: JobSpec, label_map: bytes = b"map", instance_map: bytes = b"instances") -> str:
    objects = {label_map_key(spec.id, 0): label_map, instance_map_key(spec.id, 0): instance_map}
    (only,) = identities(spec, objects)
    return only


def with_item(spec: JobSpec, **changes: object) -> JobSpec:
    return dataclasses.replace(spec, items=(dataclasses.replace(spec.items[0], **changes),))


def test_items_of_other_jobs_with_the_same_content_are_identical_whatever_they_are_called() -> None:
    assert identity(job_spec("j")) == identity(with_item(job_spec("k", labels={"a": "b"}), file="other.png"))


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "bob"},
        {"model_version": "2"},
        {"weights_digest": "1" * 64},
        {"width": 512},
        {"picture_format": "webp"},
        {"picture_quality": 50},
        {"precision": "bfloat16"},
        {"style": Style(first="dawn")},
    ],
)
def test_whatever_changes_the_picture_or_who_may_know_of_it_makes_another_identity(changes: dict[str, object]) -> None:
    assert identity(job_spec("j")) != identity(job_spec("j", **changes))


def test_other_maps_and_seeds_make_another_identity() -> None:
    spec = job_spec("j")
    with_instances = with_item(spec, instance_map_key=instance_map_key("j", 0))
    found = [
        identity(spec),
        identity(spec, b"other"),
        identity(with_item(spec, seed=7)),
        identity(with_instances),
        identity(with_instances, instance_map=b"other"),
    ]
    assert len(set(found)) == len(found)


def test_a_style_leaves_nothing_to_the_seed() -> None:
    spec = job_spec("j", style=Style(first="dawn"))
    assert identity(spec) == identity(with_item(spec, seed=7))


def test_bulk_jobs_have_none() -> None:
    assert identities(job_spec("j", 0, bulk=BulkInputs(maps=3, variations=1, seed=0)), {}) == []
