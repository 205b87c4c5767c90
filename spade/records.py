"""Strict conversion of parsed JSON into frozen dataclasses: every key known, every type exact, nothing guessed."""

import dataclasses
import math
import types
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from spade.errors import ConfigError

T = TypeVar("T")


def record_from_mapping(record_type: type[T], data: object, *, where: str) -> T:
    """Builds the dataclass `record_type` from a JSON object.

    Nested dataclasses, `StrEnum`s, `X | None` and `tuple[X, ...]` (a JSON list) are converted; fields with a default
    may be absent. `where` names the object in errors, for instance `card.json`.

    Raises ConfigError: for a missing or unknown key, a value of the wrong type or a number that is not finite, and
    whatever the dataclass's own checks raise.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where}: expected an object, found {_describe(data)}")
    fields = {field.name: field for field in dataclasses.fields(record_type)}  # type: ignore[arg-type]  # T is a dataclass
    unknown = sorted(str(key) for key in data if key not in fields)
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; known keys are {', '.join(fields)}")
    missing = [name for name, field in fields.items() if name not in data and _is_required(field)]
    if missing:
        raise ConfigError(f"{where}: key {missing[0]!r} is missing")
    hints = get_type_hints(record_type)
    values = {name: _convert(hints[name], value, where=f"{where}: {name}") for name, value in data.items()}
    return record_type(**values)


def record_to_mapping(record: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass instance
    """The JSON object that `record_from_mapping` turns back into `record`: enums as strings, tuples as lists."""
    return {field.name: _plain(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _convert(wanted: Any, value: object, *, where: str) -> Any:  # noqa: ANN401 - types are data here
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _convert(next(option for option in get_args(wanted) if option is not type(None)), value, where=where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: expected a list, found {_describe(value)}")
        return tuple(_convert(get_args(wanted)[0], item, where=f"{where}[{i}]") for i, item in enumerate(value))
    if dataclasses.is_dataclass(wanted):
        return record_from_mapping(wanted, value, where=where)  # type: ignore[arg-type]  # as asked above
    if issubclass(wanted, StrEnum):
        if value not in list(wanted):
            raise ConfigError(f"{where}: {value!r} is not one of {', '.join(wanted)}")
        return wanted(value)
    return _number(value, where) if wanted is float else _exactly(wanted, value, where)


def _number(value: object, where: str) -> float:
    try:
        number = float(value) if type(value) is int else _exactly(float, value, where)  # people write 1 for 1.0
    except OverflowError as error:
        raise ConfigError(f"{where}: {error}") from error
    if not math.isfinite(number):  # which no comparison with nan tells
        raise ConfigError(f"{where}: expected a finite number, found {number}")
    return number


def _exactly(wanted: type[T], value: object, where: str) -> T:
    if type(value) is not wanted:  # exact: True is no int, 1 is no bool
        raise ConfigError(f"{where}: expected {wanted.__name__}, found {_describe(value)}")
    return value


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of a record
    if dataclasses.is_dataclass(value):
        return record_to_mapping(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, StrEnum) else value


def _describe(value: object) -> str:
    return f"{type(value).__name__} {value!r:.60}"
