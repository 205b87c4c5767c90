"""One delivery: a signed POST, as Standard Webhooks (https://www.standardwebhooks.com) say, to a judged address."""

import asyncio
import json
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import httpx
from standardwebhooks import Webhook

from workers.errors import ServiceError
from workers.messages import JobView
from workers.webhook_settings import WebhookSettings
from workers.webhook_targets import Target, WebhookRefusedError, WebhookTargets

USER_AGENT: Final = "spade-serving-webhook/1"


class DeliveryFailedError(ServiceError):
    """The receiver does not have the message. `is_final`: it said that it never will."""

    def __init__(self, detail: str, *, is_final: bool = False) -> None:
        super().__init__(detail)
        self.is_final = is_final


class WebhookSender:
    """Sends messages. Use it as a context manager, in one event loop."""

    def __init__(self, targets: WebhookTargets, settings: WebhookSettings) -> None:
        self._targets = targets
        self._timeout_seconds = settings.timeout_seconds
        self._signers = [Webhook(secret) for secret in settings.secrets]
        # Connections are made to addresses, so one that was kept could be taken for another host's.
        self._http = httpx.AsyncClient(
            verify=httpx.create_ssl_context(),
            trust_env=False,  # a proxy would resolve the host once more
            timeout=settings.timeout_seconds,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def send(self, url: str, *, message_id: str, body: str) -> None:
        """Deliver, all in all within the time limit. Raises `DeliveryFailedError`."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                target = await asyncio.wrap_future(self._targets.judge(url))
                status = await self._post(target, message_id, body)
        except TimeoutError as error:
            raise DeliveryFailedError(f"no answer within {self._timeout_seconds:g} s") from error
        except WebhookRefusedError as error:
            raise DeliveryFailedError(error.detail) from error
        except httpx.HTTPError as error:
            raise DeliveryFailedError(f"no answer: {type(error).__name__}") from error
        if not HTTPStatus(200) <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise DeliveryFailedError(_what_was_answered(status), is_final=status == HTTPStatus.GONE)

    async def _post(self, target: Target, message_id: str, body: str) -> int:
        headers = {
            "Host": target.url.netloc.decode("ascii"),
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            **self._signature(message_id, body),
        }
        extensions = {"sni_hostname": target.host}  # also the name that the certificate has to have
        # Of the answer only the status is of use; its body, which may be endless, is not read.
        async with self._http.stream(
            "POST", target.pinned_url, content=body.encode(), headers=headers, extensions=extensions
        ) as response:
            return response.status_code

    def _signature(self, message_id: str, body: str) -> dict[str, str]:
        now = datetime.now(UTC)
        signatures = [signer.sign(message_id, now, body) for signer in self._signers]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def end_message(job: JobView, *, public_url: str) -> str:
    """What a receiver is told of a job that has ended, as JSON."""
    ended = datetime.fromtimestamp((job.finished_ms or 0) / 1000, UTC)
    counts = {state.value: count for state, count in job.counts.items()}
    message = {
        "type": f"job.{job.state}",
        "timestamp": ended.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {
            "id": job.id,
            "state": job.state,
            "counts": {"total": job.total, **counts},
            "labels": job.labels,
            "href": f"{public_url.rstrip('/')}/v1/jobs/{job.id}",
        },
    }
    return json.dumps(message)


def _what_was_answered(status: int) -> str:
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    hint = "; redirects are not followed" if 300 <= status < 400 else ""
    return f"the receiver answered {status}{phrase}{hint}"
