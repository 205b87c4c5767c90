"""How long a worker that is told to stop may take for it."""

from typing import Final

from workers.torchserve_settings import DEFAULT_TIMEOUT_SECONDS

_COMMIT_SECONDS: Final = 30
WORKER_SECONDS: Final = round(DEFAULT_TIMEOUT_SECONDS) + _COMMIT_SECONDS
"""The one bound that a batch has is TorchServe's, of which all its pictures are asked at once; then comes its commit.

On a worker's own engine a batch may take longer: what is cut off another worker makes when its lease ends.
"""
