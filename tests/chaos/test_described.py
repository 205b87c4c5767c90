"""schemathesis, asked about documents that it cannot fuzz in full: that is to be told, never to pass for a success."""

import json

import pytest

from support.answering import reply, serving
from support.fuzz.cases import Target
from support.fuzz.described import PHASES, described_cases

TARGET = Target(ended_job="ended", other_job="other")
EMPTY_RANGE = {"type": "integer", "minimum": 5, "maximum": 4}
NOWHERE = {"$ref": "#/components/schemas/Nowhere"}


def document(parameter):
    """An OpenAPI document of two operations, of which the second has such a parameter."""
    responses = {"200": {"description": "well", "content": {"application/json": {}}}, "405": {"description": "no"}}
    number = {"name": "number", "in": "query", "required": True, "schema": parameter}
    return {
        "openapi": "3.1.0",
        "info": {"title": "two", "version": "1"},
        "paths": {
            "/plain": {"get": {"responses": responses}},
            "/numbered": {"get": {"parameters": [number], "responses": responses}},
        },
    }


def fuzz(described):
    """Fuzz a server of this document that answers everything with 200."""

    def answer(handler):
        body = described if handler.path == "/openapi.json" else {}
        reply(handler, 200, json.dumps(body).encode(), Content_Type="application/json")

    with serving(answer) as url:
        return described_cases(url, requests=20, seed=1, target=TARGET)


@pytest.mark.parametrize("parameter", [EMPTY_RANGE, NOWHERE])
def test_what_schemathesis_stumbles_over_is_wrong_and_tells_of_which_operation(parameter):
    cases, wrong = fuzz(document(parameter))
    assert "GET /plain" in {case.name for case, _ in cases}
    assert any("Schema Error" in told and "GET /numbered" in told for told in wrong)


def test_an_operation_that_was_sent_nothing_is_told_of():
    _, wrong = fuzz(document(NOWHERE))
    told = [told for told in wrong if "was sent nothing" in told]
    assert told == [f"GET /numbered was sent nothing in the phase called {phase}" for phase in PHASES]


def test_no_operation_is_said_to_have_been_left_out_that_was_fuzzed():
    cases, wrong = fuzz(document({"type": "integer"}))
    assert {case.name for case, _ in cases} == {"GET /plain", "GET /numbered"}
    assert not [told for told in wrong if "was sent nothing" in told]
