"""Files of segmenters: safetensors, with the architecture and how it was trained as JSON in the metadata."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from spade.checkpoint import describe
from spade.errors import CheckpointError, ConfigError
from spade.evaluation.segmenter import Segmenter, SegmenterConfig
from spade.files import written_whole
from spade.records import record_from_mapping, record_to_mapping

METADATA_KEY = "segmenter"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterRecord:
    """What is kept with the weights. Scores in [0, 1], on validation pictures."""

    config: SegmenterConfig
    dataset: str
    """Mode of the dataset it was trained on."""
    training_pictures: int
    validation_pictures: int
    epochs: int
    """After how many epochs these weights were taken."""
    seed: int
    mean_iou: float
    pixel_accuracy: float


def save_segmenter(path: Path, segmenter: Segmenter, record: SegmenterRecord) -> None:
    """Writes weights and record at one stroke. Raises CheckpointError: where the file cannot be written."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in segmenter.state_dict().items()}
    data = save(tensors, metadata={METADATA_KEY: json.dumps(record_to_mapping(record), sort_keys=True)})
    try:
        with written_whole(path) as partial:
            partial.write_bytes(data)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror}") from error


def load_segmenter(
    path: str | os.PathLike[str], device: torch.device | str = "cpu"
) -> tuple[Segmenter, SegmenterRecord]:
    """Reads what `save_segmenter` wrote; the segmenter is in evaluation mode on `device`.

    Raises CheckpointError: where the file is missing, damaged, no segmenter, or its tensors do not fit.
    """
    where = os.fspath(path)
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            record = _record(file.metadata() or {}, where)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError as error:
        raise CheckpointError(f"{where}: there is no such file") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{where}: not a readable safetensors file: {error}") from error
    with torch.device("meta"):
        segmenter = Segmenter(record.config)
    for name, blank in segmenter.state_dict().items():
        found = describe(tensors[name]) if name in tensors else "missing"
        if found != describe(blank):
            raise CheckpointError(f"{where}: tensor {name} is {found}, expected {describe(blank)}")
    segmenter.load_state_dict(tensors, strict=False, assign=True)
    return segmenter.eval().requires_grad_(False), record


def _record(metadata: dict[str, str], where: str) -> SegmenterRecord:
    if METADATA_KEY not in metadata:
        raise CheckpointError(f"{where}: it holds no segmenter; `spade train-segmenter` makes such files")
    try:
        return record_from_mapping(SegmenterRecord, json.loads(metadata[METADATA_KEY]), where=where)
    except (json.JSONDecodeError, ConfigError) as error:
        raise CheckpointError(f"{where}: what it says of itself cannot be used: {error}") from error
