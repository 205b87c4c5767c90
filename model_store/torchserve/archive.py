"""Archives (.mar) for TorchServe: a model of the registry, and the handler that serves it. Light: needs no torch.

TorchServe's own archiver is not used. It empties a folder of the model's name in the temporary folder of the machine,
whoever made it, and dates what it writes, so that no two archives of a model are equal.
"""

import json
import zipfile
from pathlib import Path
from typing import Final

from model_store.card import ModelCard
from model_store.registry import CARD_FILE, ENCODER_FILE, WEIGHTS_FILE, Registry
from model_store.torchserve.config import ArchiveConfig
from spade.files import written_whole

SUFFIX: Final = ".mar"
MODELS_FOLDER: Final = "models"
"""Of an archive: a models folder with one model."""
HANDLER: Final = Path(__file__).with_name("spade_serving_handler.py")

_CONFIG_FILE: Final = "model-config.yaml"
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_CREATED: Final = "01/01/1980 00:00:00"
_CHUNK_BYTES: Final = 2**20
_RETRY_SECONDS: Final = 1_000_000
"""How long a backend that dies is started again and again; after that TorchServe leaves its model without one."""


def write_archive(registry: Registry, card: ModelCard, folder: Path, config: ArchiveConfig) -> Path:
    """Writes the archive of `card` into `folder`, whole or not at all, the same bytes each time; returns its path.

    Weights that come from a seed are not packed: the backend draws them when it loads the model.

    Raises WeightsError: where weights are absent or not those of the card. OSError: where it cannot be written.
    """
    files = {} if card.weights.seed is not None else {WEIGHTS_FILE: registry.weights_path(card)}
    if card.encoder is not None:
        files[ENCODER_FILE] = registry.encoder_path(card)
    path = folder / f"{card.name}-{card.version}{SUFFIX}"
    inside = f"{MODELS_FOLDER}/{card.name}/{card.version}"
    with written_whole(path) as partial, zipfile.ZipFile(partial, "w", strict_timestamps=True) as archive:
        _write(archive, "MAR-INF/MANIFEST.json", _manifest(card))
        _write(archive, _CONFIG_FILE, _model_config(config))
        _write(archive, HANDLER.name, HANDLER.read_text(encoding="utf-8"))
        _write(archive, f"{inside}/{CARD_FILE}", card.to_json())
        for name, source in files.items():
            _copy(archive, f"{inside}/{name}", source)
    return path


def _manifest(card: ModelCard) -> str:
    model = {
        "modelName": card.reference,
        "modelVersion": card.version,
        "handler": HANDLER.name,
        "configFile": _CONFIG_FILE,
    }
    manifest = {"createdOn": _CREATED, "archiverVersion": "1", "runtime": "python", "model": model}
    return json.dumps(manifest, indent=2) + "\n"


def _model_config(config: ArchiveConfig) -> str:
    """YAML; texts are written as JSON has them, which YAML reads the same."""
    values: dict[str, int | str] = {
        "minWorkers": 1,
        "maxWorkers": 1,
        "batchSize": config.batch_items,
        "maxBatchDelay": config.batch_delay_ms,
        "responseTimeout": config.response_seconds,
        "startupTimeout": config.startup_seconds,
        "maxRetryTimeoutInSec": _RETRY_SECONDS,
    }
    if config.backend.device in ("cpu", "cuda"):
        values["deviceType"] = "cpu" if config.backend.device == "cpu" else "gpu"
    lines = [f"{name}: {json.dumps(value)}" for name, value in values.items()]
    lines += ["handler:", *(f"  {name}: {json.dumps(value)}" for name, value in config.backend.to_values().items())]
    return "\n".join(lines) + "\n"


def _write(archive: zipfile.ZipFile, name: str, text: str) -> None:
    archive.writestr(_entry(name), text)


def _copy(archive: zipfile.ZipFile, name: str, source: Path) -> None:
    with source.open("rb") as file, archive.open(_entry(name), "w", force_zip64=True) as target:
        while chunk := file.read(_CHUNK_BYTES):
            target.write(chunk)


def _entry(name: str) -> zipfile.ZipInfo:
    """Not compressed: weights hardly get smaller by it."""
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = 0o644 << 16
    return entry
