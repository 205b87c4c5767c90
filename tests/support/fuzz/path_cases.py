"""Paths and queries that lead elsewhere or are no text."""

from random import Random

from support.fuzz.cases import Case, Cases, Target, request

IDS = (
    *(
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..",
        ".",
        "%00",
        "a%00b",
        "%c0%ae%c0%ae",
        "%e0%80%af",
        "%ff%fe",
        "%",
    ),
    *(
        "%zz",
        "a" * 3000,
        "%F0%9F%92%A9" * 100,
        "%E2%80%AE",
        "%0d%0aX-Evil:%201",
        "%5c..%5c",
        "..;/",
        "~root",
        "*",
        "'--",
    ),
    *(
        "%24%7Bjndi:x%7D",
        "{}",
        "[]",
        "-1",
        "9" * 400,
        "%20",
        "\xff\xfe",
        "a?b",
        "a%3Fb",
        "a%23",
        "a/b",
        "//",
        "/",
        "%2f",
    ),
    *("%ed%a0%80", "%f4%90%80%80", "001", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "job:*", "%0a", "%7f", "%1b%5b2J"),
)
PATTERNS = (
    *("/v1/jobs/{}", "/v1/jobs/{}/events", "/v1/jobs/{}/archive", "/v1/jobs/{}/items/0/image", "/v1/models/{}"),
    *(
        "/v1/jobs/{}/items/{}/image",
        "/docs/{}",
        "/{}",
        "/v1/{}",
        "/v1/jobs/../{}",
        "//v1/jobs/{}",
        "/v1/jobs/{}?wait={}",
    ),
    *("/v1/jobs?cursor={}", "/v1/jobs?limit={}", "/v1/jobs?state={}&state={}", "/v1/jobs?since={}", "/v1/jobs?{}={}"),
    *("/v1/jobs?model={}", "/v1/jobs?until={}", "http://evil/{}", "/openapi.json{}", "/metrics/{}", "/v1/jobs/{}/"),
)
CURSORS = (
    "e30",
    "WzEsMl0",
    "WzFlNDAwLCAiYSJd",
    "W251bGwsIG51bGxd",
    "W1tdLCBbXV0",
    "Wy0xLCAiYSJd",
    "WzEsICJcdWQ4MDAiXQ",
)
TIMES = (
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00%2B14:00",
    "NaN",
    "1e400",
    "2024-13-01T00:00:00Z",
)


def cases(random: Random, target: Target) -> Cases:
    values = (*IDS, *CURSORS, *TIMES, target.ended_job, target.other_job)
    while True:
        pattern = random.choice(PATTERNS)
        path = pattern.format(*(random.choice(values) for _ in range(pattern.count("{}"))))
        method = random.choice(("GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE", "PATCH"))
        name = pattern.partition("?")[0]
        yield Case(category="paths", name=name, data=request(method, path), method=method)
