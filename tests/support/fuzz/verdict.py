"""What every answer has to be like, whatever was asked."""

import json
import re
from collections.abc import Iterator

from support.fuzz.answers import CUT, Answer

PROBLEM = "application/problem+json"
MEMBERS = ("type", "title", "status", "detail", "instance", "request_id")
INTERNALS = re.compile(
    rb"Traceback|File \"|site-packages|\.py\b|Werkzeug|werkzeug|gunicorn|pydantic|redis://|rclone|0x[0-9a-f]{8,}|<html"
)
"""Of an error's body: what only a program that fails says. The documentation's own pages are no errors."""
MODESTLY_REFUSED = (503, 429)


def faults(answer: Answer, *, may_cut: bool) -> Iterator[str]:
    """What is wrong with an answer."""
    if answer.fault is not None:
        yield answer.fault
        return
    if answer.status == CUT:
        if not may_cut:
            yield "the connection ended without an answer"
        return
    if answer.status >= 500 and answer.status != 503:
        yield f"status {answer.status}"
    if answer.status in MODESTLY_REFUSED and not answer.headers.get("retry-after", "").isdigit():
        yield f"status {answer.status} without Retry-After"
    if answer.status >= 400:
        yield from _problem_faults(answer)


def _problem_faults(answer: Answer) -> Iterator[str]:
    content_type = answer.headers.get("content-type", "none")
    if content_type != PROBLEM:
        yield f"an error of type {content_type}"
        return
    if not answer.body:  # of HEAD
        return
    try:
        problem = json.loads(answer.body)
    except ValueError:
        yield "a problem that is not JSON"
        return
    if absent := [name for name in MEMBERS if not problem.get(name)]:
        yield f"a problem without {', '.join(absent)}"
    if problem.get("status") != answer.status:
        yield f"a problem of status {problem.get('status')} under {answer.status}"
    said = json.dumps({name: problem.get(name) for name in ("title", "detail")}).encode()
    if found := INTERNALS.search(said):
        yield f"a problem that tells of {found[0].decode('latin-1')}: {said[:200].decode('latin-1')}"
