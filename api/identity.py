"""Which items are identical: those that would give the same picture. In flight, they are computed once."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Final

from workers.messages import JobSpec

_LENGTH: Final = 32


def identities(spec: JobSpec, objects: Mapping[str, bytes]) -> list[str]:
    """One for each item of a job, whose inputs are in `objects` by key; none for a bulk job, whose inputs are not.

    The owner is part of it, so that nobody learns from the time that a picture takes what others have asked for.
    """
    digests = {key: hashlib.sha256(data).hexdigest() for key, data in objects.items()}
    common = [
        *(spec.owner, spec.bucket, spec.weights_digest, spec.picture_format, spec.picture_quality),
        None if spec.style is None else asdict(replace(spec.style, picture_key=None)),  # the key is the job's own
    ]
    return [
        _digest(
            *common,
            digests[item.label_map_key],
            None if item.instance_map_key is None else digests[item.instance_map_key],
            item.seed if spec.style is None else None,  # a style leaves nothing to the seed
        )
        for item in spec.items
    ]


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:_LENGTH]
