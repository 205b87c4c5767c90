"""The key that TorchServe wants with each request, from the file that it writes anew whenever it starts."""

import json
import threading
from pathlib import Path

from workers.errors import EngineUnavailableError


class TorchServeKey:
    """The key called `name`, `inference` or `management`, in `key_file`. Safe to share between threads."""

    def __init__(self, key_file: Path, name: str) -> None:
        self._key_file = key_file
        self._name = name
        self._lock = threading.Lock()
        self._key: str | None = None

    def header(self, *, refused: str | None = None) -> str:
        """The value of the header `Authorization`; `refused` is the one that was of no use, if any.

        Raises `EngineUnavailableError` when the file cannot be read, or has nothing better than what was refused.
        """
        with self._lock:
            if self._key is None or refused == _bearer(self._key):
                self._key = self._read()
            if refused == _bearer(self._key):
                raise EngineUnavailableError(
                    f"TorchServe refuses the {self._name} key in {self._key_file}; name the key_file.json that the "
                    "running TorchServe has written"
                )
            return _bearer(self._key)

    def _read(self) -> str:
        try:
            return str(json.loads(self._key_file.read_text(encoding="utf-8"))[self._name]["key"])
        except OSError as error:
            raise EngineUnavailableError(
                f"the file of TorchServe's keys, {self._key_file}, cannot be read: {error.strerror}; TorchServe "
                "writes it when it starts"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise EngineUnavailableError(
                f"{self._key_file} has no {self._name} key of TorchServe: {type(error).__name__}: {error}"
            ) from error


def _bearer(key: str) -> str:
    return f"Bearer {key}"
