"""The two servers that the service stores in: a Redis-protocol server and an S3 object store, both on 127.0.0.1."""

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis
import urllib3
from minio import Minio
from minio.error import MinioException

from deploy.local.child import Program
from deploy.local.ports import LOOPBACK
from deploy.local.programs import find_rclone, find_redis_server
from spade.files import written_whole

_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
_ANSWER_SECONDS = 2.0


def plain_environment() -> dict[str, str]:
    """What of our environment any program may need. Everything else could change what a child does, so it stays out."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; it replaces the old one in one step."""
    with written_whole(path) as partial:
        partial.touch(mode=0o600)
        partial.write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer(Program):
    """Redis or Valkey with an append-only file in `folder`: what was acknowledged survives a SIGKILL.

    Syncing the file is left to the system. With `appendfsync everysec` the server itself keeps acknowledged writes
    back for up to two seconds while a sync is going on, and loses those with its life; `always` takes twice as long.
    What a power cut takes, of the queue as of the objects, are the last seconds that the system has not written.
    """

    folder: Path
    port: int
    password: str = field(repr=False)

    @property
    def name(self) -> str:
        return "redis"

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def command(self) -> list[str]:
        return [str(find_redis_server()), str(self._config)]

    def environment(self) -> Mapping[str, str]:
        return plain_environment()

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        folder = str(self.folder.resolve()).replace("\\", "\\\\").replace('"', '\\"')
        write_private(
            self._config,
            f"bind {LOOPBACK}\nport {self.port}\nrequirepass {self.password}\n"
            f'dir "{folder}"\nappendonly yes\nappendfsync no\nsave ""\n'
            "maxmemory-policy noeviction\ndaemonize no\n",
        )

    def is_ready(self) -> bool:
        # No retries: the caller asks again.
        client = redis.Redis.from_url(self.url, socket_timeout=_ANSWER_SECONDS, retry=None)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    @property
    def _config(self) -> Path:
        return self.folder / "redis.conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server(Program):
    """`rclone serve s3` over `folder`: a bucket is a folder in it, an object a file."""

    folder: Path
    port: int
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = "spade"
    region: str = "us-east-1"

    @property
    def name(self) -> str:
        return "s3"

    @property
    def endpoint(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def command(self) -> list[str]:
        # Without a digest as ETag: to list a page it would read every file of the folder.
        options = ["--addr", self.endpoint, "--config", "", "--etag-hash", ""]
        return [str(find_rclone()), "serve", "s3", *options, str(self.folder)]

    def environment(self) -> Mapping[str, str]:
        # The variable holds CSV, hence the quotes around a pair that contains a comma.
        return {**plain_environment(), "RCLONE_AUTH_KEY": f'"{self.access_key},{self.secret_key}"'}

    def prepare(self) -> None:
        (self.folder / self.bucket).mkdir(parents=True, exist_ok=True)

    def is_ready(self) -> bool:
        connections = urllib3.PoolManager(timeout=_ANSWER_SECONDS, retries=False)
        client = Minio(
            self.endpoint, self.access_key, self.secret_key, secure=False, region=self.region, http_client=connections
        )
        try:
            return client.bucket_exists(self.bucket)
        except (MinioException, urllib3.exceptions.HTTPError):
            return False
        finally:
            connections.clear()


def new_password() -> str:
    """48 hexadecimal digits, which need no quoting in a URL or in redis.conf."""
    return secrets.token_hex(24)


def new_access_key() -> str:
    """20 characters as AWS has them; the storage client refuses shorter ones."""
    return "AK" + secrets.token_hex(9).upper()


def new_secret_key() -> str:
    """40 characters as AWS has them."""
    return secrets.token_hex(20)


def new_webhook_secret() -> str:
    """32 bytes, written as Standard Webhooks have it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
