"""Parameters as clients write them. Every refusal over HTTP is in tests/integration/api/test_refusals.py."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.errors import Fault, ParametersRefusedError
from api.parameters import MAX_SEED, JobParameters, MapParameters, faults_of
from spade.pictures import PictureFormat
from workers.messages import Priority


def parse(**values):
    return JobParameters.model_validate_json(json.dumps({"model": "landscape", **values}))


def faults(**values):
    with pytest.raises(ValidationError) as caught:
        parse(**values)
    return faults_of(caught.value, known=JobParameters.model_fields)


def test_only_the_model_has_to_be_named():
    parameters = parse()
    assert parameters.seed is None
    assert parameters.variations == 1
    assert parameters.size is None
    assert parameters.format is PictureFormat.PNG
    assert parameters.priority is Priority.NORMAL
    assert parameters.labels == {}


@given(st.integers(1, 4096), st.integers(1, 4096))
def test_a_size_reads_alike_as_text_and_as_object(width, height):
    assert parse(size=f"{width}x{height}").size == parse(size={"width": width, "height": height}).size


@pytest.mark.parametrize(
    "size", ["", "256", "256x", "x256", "256X256", "256 x 256", "-1x5", "२५६x२५६", "0x5", "999999x1"]
)
def test_a_size_written_otherwise_is_refused(size):
    assert faults(size=size)[0].parameter.startswith("size")


@given(st.integers(0, MAX_SEED), st.integers(1, 64))
def test_every_seed_of_a_job_is_an_integer_that_json_keeps(seed, variations):
    if seed + variations - 1 <= MAX_SEED:
        assert parse(seed=seed, variations=variations).seed == seed
    else:
        assert "seed + variations" in faults(seed=seed, variations=variations)[0].detail


def test_in_python_too_words_say_format_and_priority():
    parameters = JobParameters(model="landscape", format="webp", priority="bulk")
    assert (parameters.format, parameters.priority) == (PictureFormat.WEBP, Priority.BULK)
    with pytest.raises(ValidationError, match="Input should be 'interactive', 'normal' or 'bulk'"):
        JobParameters(model="landscape", priority="urgent")


def test_an_unknown_parameter_is_refused_with_those_that_exist():
    (fault,) = faults(qualty=1)
    assert (fault.parameter, fault.code) == ("qualty", "extra-forbidden")
    assert "quality" in fault.detail


def test_a_parameter_of_jobs_is_unknown_to_a_check_of_maps():
    with pytest.raises(ValidationError):
        MapParameters.model_validate_json('{"model": "landscape", "seed": 1}')


def test_a_fault_without_a_place_names_no_parameter():
    (fault,) = faults(seed=MAX_SEED, variations=2)
    assert fault.parameter is None
    assert str(ParametersRefusedError([fault])) == fault.detail


def test_one_fault_is_told_with_the_number_of_the_others():
    error = ParametersRefusedError([Fault(code="a", detail="wrong", file="f.png"), Fault(code="b", detail="bad")])
    assert str(error) == "f.png: wrong (1 more)"


@pytest.mark.parametrize(
    ("fault", "members"),
    [
        (Fault(code="a", detail="b"), {"code": "a", "detail": "b"}),
        (
            Fault(code="a", detail="b", file="f", offenders=({"value": 1},)),
            {"file": "f", "code": "a", "detail": "b", "offenders": [{"value": 1}]},
        ),
    ],
)
def test_a_fault_as_json_has_the_members_that_say_something(fault, members):
    assert fault.to_json() == members


@pytest.mark.parametrize(
    ("style", "place", "told"),
    [
        (7, "style", "write the name of a style, or a blend"),
        ({"blend": ["a", "b"], "weight": 3}, "style.weight", "less than or equal to 1"),
        ({"blend": ["a", "b"], "weight": 0.3, "at": 1}, "style.at", "there is no such parameter"),
    ],
)
def test_a_fault_of_a_style_is_told_once_and_by_the_names_that_were_sent(style, place, told):
    (fault,) = faults(style=style)
    assert fault.parameter == place
    assert told in fault.detail
    assert "there are" not in fault.detail  # the names of other parameters would be no help
