"""S3 servers of one's own."""

from pathlib import Path

from deploy.local.ports import free_port
from deploy.local.servers import S3Server, new_access_key, new_secret_key
from workers.settings import StorageSettings


def new_s3_server(folder: Path) -> S3Server:
    """A server over `folder`, on a free port, to be run as a `Child`."""
    return S3Server(folder=folder, port=free_port(), access_key=new_access_key(), secret_key=new_secret_key())


def storage_of(server: S3Server) -> StorageSettings:
    """How the service reaches the bucket of a server."""
    return StorageSettings(
        endpoint=server.endpoint, access_key=server.access_key, secret_key=server.secret_key, bucket=server.bucket
    )
