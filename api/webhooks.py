"""Whether a job may have the webhook that its client asks for, and what that will be told."""

from typing import Any

from pydantic import BaseModel, Field

from api.documents import json_content
from api.parameters import refuse_parameter
from api.representation import Counts, Time
from api.services import Services
from workers.messages import State
from workers.webhook_targets import WebhookRefusedError


def check_webhook(url: str, services: Services) -> None:
    """Raises ParametersRefusedError where the service cannot sign, or may not call the URL."""
    if not services.settings.webhooks.secrets:
        raise refuse_parameter(
            "webhook",
            "no-webhooks",
            "this service has no secret to sign webhooks with, so it makes none; whoever runs it sets "
            "SPADE_WEBHOOK_SECRET",
        )
    try:
        services.webhook_targets.check(url)
    except WebhookRefusedError as error:
        raise refuse_parameter("webhook", error.code, error.detail) from error


class EndedJob(BaseModel):
    """The job, in few words."""

    id: str
    state: State
    counts: Counts
    labels: dict[str, str]
    href: str = Field(description="Where the job is read; begins with the service's public address, if it has one")


class JobEnded(BaseModel):
    """What a webhook is told, once for each time that its job ends."""

    type: str = Field(examples=["job.succeeded"], description="`job.` and the state")
    timestamp: Time = Field(description="When the job ended")
    data: EndedJob


def describe_webhook() -> dict[str, Any]:
    """The webhook as the OpenAPI document has it."""
    headers = {
        "webhook-id": "The same at every attempt; for telling that a message has come before",
        "webhook-timestamp": "Unix time of the attempt, in seconds",
        "webhook-signature": "`v1,` and, in base64, the HMAC-SHA256 of id, timestamp and body, joined by dots",
    }
    operation = {
        "operationId": "job_ended",
        "tags": ["jobs"],
        "summary": "A job has ended",
        "description": "Sent to the URL that the job was given as `webhook`, as https://www.standardwebhooks.com says.",
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in headers.items()
        ],
        "requestBody": {"required": True, "content": json_content(JobEnded)},
        "responses": {
            "2XX": {"description": "It has arrived"},
            "410": {"description": "It is not to be sent again; after any other answer it is"},
        },
    }
    return {"jobEnded": {"post": operation}}
