"""Whether a job may have the webhook that its client asks for."""

from api.parameters import refuse_parameter
from api.services import Services
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
