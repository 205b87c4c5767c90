"""A proxy with TLS in front of the API, as an operator puts one."""

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

HOP = ("connection", "transfer-encoding", "content-length", "content-encoding")


def make_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody but its file vouches for, with its key in the same file."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate


@contextmanager
def serve_tls(url: str, folder: Path) -> Iterator[str]:
    """An address with TLS whose GET requests go on to `url`, with what a proxy says of them; its key is in `folder`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host, _ = self.client_address[:2]
            told = {"X-Forwarded-For": host, "X-Forwarded-Proto": "https", "X-Forwarded-Host": self.headers["Host"]}
            kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            answer = httpx.get(url + self.path, headers={**kept, **told})
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(folder), folder / "key.pem")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
