"""A receiver's certificate has to be that of the name in the URL, though the connection is made to an address."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from support.receivers import SECRET, receiving
from workers.webhook_sender import DeliveryFailedError, WebhookSender
from workers.webhook_settings import WebhookSettings
from workers.webhook_targets import WebhookTargets

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """One for named.example, which is trusted."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    options = ["-addext", "subjectAltName=DNS:named.example", "-out", certificate, "-keyout", key]
    subprocess.run([*command, *options], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def send(url: str) -> None:
    settings = WebhookSettings(secrets=(SECRET,), allow=("127.0.0.1",), timeout_seconds=10.0)
    targets = WebhookTargets(settings.policy, resolve=lambda *_: ["127.0.0.1"])

    async def send_once() -> None:
        async with WebhookSender(targets, settings) as sender:
            await sender.send(url, message_id="msg_j_1", body="{}")

    asyncio.run(send_once())


def test_the_name_of_the_url_is_asked_for_and_checked(certificate: ssl.SSLContext) -> None:
    with receiving(certificate=certificate) as receiver:
        send(receiver.url.replace("127.0.0.1", "named.example"))
        for host in ("other.example", "127.0.0.1"):
            with pytest.raises(DeliveryFailedError, match="no answer: ConnectError"):
                send(receiver.url.replace("127.0.0.1", host))
    assert receiver.ids == ["msg_j_1"]
