"""Options that the published training leaves beside its weights, in opt.txt: a line `name: value` each."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spade.config import GeneratorConfig
from spade.errors import CheckpointError, ConfigError
from spade.published import config_from_options

OPTIONS_FILE = "opt.txt"

_LINE = re.compile(r"\s*(?P<name>[A-Za-z]\w*): (?P<value>.*?)\s*(\t\[default: .*\])?")
_BOOLEANS = {"True": True, "False": False}
_GENERATOR = "spade"


def read_published_options(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The options by name, numbers and booleans as such.

    Raises CheckpointError: where the file cannot be read or holds no options.
    """
    where = os.fspath(path)
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{where}: {error}") from error
    found = [match for line in lines if (match := _LINE.fullmatch(line))]
    if not found:
        raise CheckpointError(f"{where}: it holds no line like `label_nc: 182`, as published training writes them")
    return {match["name"]: _value(match["value"]) for match in found}


def config_from_published_options(options: Mapping[str, Any], *, where: str) -> GeneratorConfig:
    """The generator that the options of `where` describe. Raises CheckpointError: where it is none of SPADE."""
    network = options.get("netG", _GENERATOR)
    if network != _GENERATOR:
        raise CheckpointError(f"{where}: netG is {network}; only {_GENERATOR} can be imported")
    try:
        # What opt.txt may lack, with the defaults of the published code.
        return config_from_options({"num_upsampling_layers": "normal", "z_dim": 256, "use_vae": False, **options})
    except ConfigError as error:
        raise CheckpointError(f"{where}: {error}") from error


def _value(text: str) -> bool | int | float | str:
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
