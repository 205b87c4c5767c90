"""The label maps of a batch as the engine reads them: each distinct one once.

B batch, M distinct maps, H W pixels, h w pixels at a layer's resolution.
"""

import hashlib

import torch
from torch import Tensor

from spade.config import GeneratorConfig
from spade.windows import Windows, codes_of_labels, find_windows, resize_codes


class DistinctMaps:
    """The distinct maps among those of a batch, and which one each item of the batch has.

    `labels` (B, H, W) and `instances` (B, H, W) or None as `semantics_from_labels` takes them.
    Raises ConfigError: where an id has no channel.
    """

    def __init__(self, labels: Tensor, instances: Tensor | None, config: GeneratorConfig, device: torch.device) -> None:
        parts = [labels] if instances is None or not config.instance_edges else [labels, instances]
        digests = [_digest([part[item] for part in parts]) for item in range(len(labels))]
        first = {digest: item for item, digest in reversed(list(enumerate(digests)))}
        places = {digest: place for place, digest in enumerate(dict.fromkeys(digests))}
        self.key = (tuple(labels.shape[1:]), tuple(places))
        """Equal for equal maps in the same order."""
        self.of_item = [places[digest] for digest in digests]
        """Map of each item."""
        chosen = torch.tensor([first[digest] for digest in places])
        self._codes = codes_of_labels(
            labels[chosen].to(device), None if instances is None else instances[chosen].to(device), config
        )
        self._windows: dict[tuple[int, int, int], Windows] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def windows(self, height: int, width: int, kernel_size: int) -> Windows:
        """Of the maps at (height, width)."""
        key = (height, width, kernel_size)
        if key not in self._windows:
            self._windows[key] = find_windows(resize_codes(self._codes, height, width), kernel_size)
        return self._windows[key]


def _digest(parts: list[Tensor]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        # As one type: bytes of two maps of a narrow type could be those of one map of a wide type.
        digest.update(part.long().cpu().contiguous().numpy().tobytes())
    return digest.digest()
