"""Structured logs: one JSON object a line, with the fields given as `extra`, and those of what is being done.

Everywhere the same names stand for the same things, so that a picture can be followed through all processes:

- `request_id`: of the request, in X-Request-Id too; lines of workers about a job have that of the request that made it
- `trace_id`: of the request's trace, where traces are on
- `job`, `item`: ids; an item's is `JOB:INDEX`. `attempt`, `fence`: of the item, as the job store counts them
- `items`, `item_ids`, `request_ids`: of a batch, how many items it has, and the ids of the first 16
- `model`, `bucket`; `seconds`, in all or by stage; `error`, which for the object store has the operation and the key

A worker writes a line for each batch, and at `debug` one for each item and stage.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

LEVELS: Final = ("debug", "info", "warning", "error")
_SECRET: Final = re.compile(r"(spade_[0-9a-f]{16}_)[0-9A-Za-z]+")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def without_secrets(text: str) -> str:
    """A text as it may be logged and shown, without the secrets of API keys that somebody put where none belong."""
    return _SECRET.sub(r"\1...", text)


_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default={})  # noqa: B039 - never changed in place


def keep_in_log(**fields: str) -> None:
    """Fields of every line that this thread logs from now on, instead of those that were kept before."""
    _context.set(fields)


class ContextFields(logging.Filter):
    """Lets every record pass, with the fields that `keep_in_log` has been told in it; its own count for more."""

    def filter(self, record: logging.LogRecord) -> bool:
        """As above."""
        for name, value in _context.get().items():
            vars(record).setdefault(name, value)
        return True


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


def log_json_lines(level: str) -> None:
    """Send what is logged from `level` on, one of `LEVELS`, to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(ContextFields())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells whole URLs, and those of webhooks may hold tokens
