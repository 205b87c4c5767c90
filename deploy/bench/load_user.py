"""Entry module that locust runs: clients that submit a job, and another as soon as that is answered.

Answers are counted by their status. The ids of accepted jobs go to a file, one a line.
"""

import os
from http import HTTPStatus

from locust import FastHttpUser, constant, task

from deploy.bench.load_requests import ACCEPTED_VARIABLE, PATH, REFUSED_ODDLY, VARIATIONS_VARIABLE, submission

_body, _headers = submission(variations=int(os.environ[VARIATIONS_VARIABLE]))
_accepted = open(os.environ[ACCEPTED_VARIABLE], "a", buffering=1, encoding="ascii")  # noqa: PTH123, SIM115 - kept open


class Submitter(FastHttpUser):
    """A client that is always waiting for an answer."""

    wait_time = constant(0)
    network_timeout = 120.0
    connection_timeout = 120.0

    @task
    def submit(self) -> None:
        """One job."""
        # Its types know no bytes as data, which is what it sends.
        with self.client.post(PATH, data=_body, headers=_headers, catch_response=True) as response:  # type: ignore[arg-type]
            status = response.status_code
            name = str(status)
            if status == HTTPStatus.ACCEPTED:
                _accepted.write(f"{response.json()['id']}\n")
            elif status == HTTPStatus.TOO_MANY_REQUESTS and not response.headers.get("Retry-After", "").isdigit():
                name = REFUSED_ODDLY
            response.request_meta["name"] = name
            response.success()
