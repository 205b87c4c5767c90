"""Configurations as TOML: mappings of numbers, strings, lists and further mappings, to text and back."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spade.errors import ConfigError


def read_toml(path: Path) -> dict[str, Any]:
    """Raises ConfigError: where the file is missing or is not TOML, with the line."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def parse_value(text: str) -> Any:  # noqa: ANN401 - whatever the text says
    """A number, truth value, list or string as TOML writes them; what is none of these is a string as it stands."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def to_toml(mapping: Mapping[str, Any]) -> str:
    """The text of `mapping`, from which `tomllib` reads it again; keys whose value is None are left out."""
    return "\n".join(_lines(mapping, ())).lstrip("\n") + "\n"


def _lines(mapping: Mapping[str, Any], place: tuple[str, ...]) -> list[str]:
    values = {key: value for key, value in mapping.items() if value is not None}
    lines = ["", f"[{'.'.join(place)}]"] if place else []
    # Values first: what follows the heading of a table belongs to that table.
    lines += [f"{key} = {_value(value)}" for key, value in values.items() if not isinstance(value, Mapping)]
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += _lines(value, (*place, key))
    return lines


def _value(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    # JSON writes numbers, strings and truth values as TOML does.
    return json.dumps(value, ensure_ascii=False)
