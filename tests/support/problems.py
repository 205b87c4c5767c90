"""What every error over HTTP has to look like."""

from typing import Any

from werkzeug.test import TestResponse


def assert_problem(response: TestResponse, status: int, slug: str) -> dict[str, Any]:
    """The members of the problem, after checking those that every problem has."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    problem: dict[str, Any] = response.json
    assert problem["type"] == f"urn:spade-serving:problem:{slug}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == response.request.path
    assert problem["request_id"] == response.headers["X-Request-Id"]
    return problem
