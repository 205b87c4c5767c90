"""`spade-serve prepare`: what servers of one's own lack before the service can start."""

import os
from pathlib import Path

import click

from spade.files import written_whole
from workers.key_store import KeyStore
from workers.keys import Scope, split_key
from workers.limits import KeyLimits
from workers.settings import Settings
from workers.storage import ObjectStore

_NAME = "prometheus"


@click.command()
@click.option(
    "--metrics-key",
    "key_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Make an API key of scope `metrics` too, and write it to this file, from which Prometheus reads it.",
)
def prepare(key_file: Path | None) -> None:
    """Make the bucket, unless it exists. What is there already stays; so this may run before every start.

    The first key closes the API to those without one, and lets it serve other addresses than this machine's.

    \b
    Example:
        SPADE_REDIS_URL=redis://redis:6379/0 SPADE_S3_ENDPOINT=minio:9000 \\
        SPADE_S3_ACCESS_KEY=... SPADE_S3_SECRET_KEY=... spade-serve prepare --metrics-key /run/secrets/metrics-key
    """
    settings = Settings.from_environment(os.environ)
    objects = ObjectStore(settings.storage)
    made = objects.make_bucket()
    click.echo(f"the bucket {settings.storage.bucket} {'is made' if made else 'exists'}")
    if key_file is not None:
        keys = KeyStore(objects)
        if _is_valid(keys, key_file):
            click.echo(f"the key in {key_file} is valid")
        else:
            _write_key(keys, key_file)
            click.echo(f"a key of scope metrics is in {key_file}")


def _is_valid(keys: KeyStore, file: Path) -> bool:
    try:
        parts = split_key(file.read_text(encoding="utf-8", errors="replace").strip())
    except FileNotFoundError:
        return False
    record = None if parts is None else keys.find(parts[0])
    return parts is not None and record is not None and record.accepts(parts[1])


def _write_key(keys: KeyStore, file: Path) -> None:
    """For a Prometheus that runs as another user; who may look into the folder is for the folder to say."""
    new = keys.create(name=_NAME, scopes=frozenset({Scope.METRICS}), limits=KeyLimits())
    with written_whole(file) as partial:
        partial.write_text(new.text, encoding="utf-8")
        partial.chmod(0o644)
