"""The API as it is deployed, over servers of its own: gunicorn with two processes, Redis and S3."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.child import Child
from deploy.local.ports import free_port
from deploy.local.servers import RedisServer, new_password
from deploy.local.services import ApiServer, service_environment
from deploy.local.stack import server_settings
from support.servers import new_s3_server

PROCESSES = 2


@contextmanager
def running_api(**settings: str) -> Iterator[Child]:
    """The API, ready; `settings` are `SPADE_` variables."""
    with tempfile.TemporaryDirectory(prefix="spade-fuzz-") as name:
        folder = Path(name)
        redis = RedisServer(folder=folder / "redis", port=free_port(), password=new_password())
        s3 = new_s3_server(folder / "s3")
        told = {**server_settings(redis, s3), "SPADE_MODELS_DIR": str(folder / "models"), **settings}
        api = ApiServer(
            port=free_port(),
            metrics_folder=folder / "metrics",
            service=service_environment(os.environ, told),
            processes=PROCESSES,
        )
        with (
            Child(redis, log=folder / "redis.log"),
            Child(s3, log=folder / "s3.log"),
            Child(api, log=folder / "api.log") as child,
        ):
            yield child
