"""Structured logs: one JSON object a line, with the fields given as `extra`."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Final

_SECRET: Final = re.compile(r"(spade_[0-9a-f]{16}_)[0-9A-Za-z]+")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def without_secrets(text: str) -> str:
    """A text as it may be logged and shown, without the secrets of API keys that somebody put where none belong."""
    return _SECRET.sub(r"\1...", text)


class JsonLines(logging.Formatter):
    """Formats a record as a JSON object; anything that JSON does not know is written as text."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return without_secrets(json.dumps(line, default=str))


def log_json_lines(level: int = logging.INFO) -> None:
    """Send everything that is logged to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells whole URLs, and those of webhooks may hold tokens
