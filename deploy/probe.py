"""`python -m deploy.probe URL [KEY_FILE]`: whether a server of this machine is well; the health check of images.

It runs every few seconds, so it loads next to nothing; and no proxy that the environment names is asked. TorchServe
answers those only who have its key, which is in the KEY_FILE that it writes.
"""

import http.client
import sys
from pathlib import Path
from urllib.parse import urlsplit

from workers.errors import EngineUnavailableError
from workers.torchserve_keys import TorchServeKey

_SECONDS = 4.0


def is_well(url: str, key_file: Path | None = None) -> bool:
    """Whether a GET is answered with 200."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_SECONDS)
    try:
        headers = {} if key_file is None else {"Authorization": TorchServeKey(key_file, "inference").header()}
        connection.request("GET", parts.path, headers=headers)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException, EngineUnavailableError):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_well(sys.argv[1], *map(Path, sys.argv[2:])) else 1)
