"""Log lines."""

import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from workers.logs import ContextFields, JsonLines, keep_in_log


def test_a_record_becomes_one_json_line_with_its_fields() -> None:
    record = logging.makeLogRecord(
        {"name": "workers.pipeline", "levelname": "WARNING", "msg": "waiting", "job": "j1", "path": Path("x")}
    )
    line = JsonLines().format(record)
    assert "\n" not in line
    fields = json.loads(line)
    assert (fields["level"], fields["event"], fields["job"], fields["path"]) == ("warning", "waiting", "j1", "x")
    assert fields["time"].endswith("+00:00")


def test_an_exception_is_part_of_the_line() -> None:
    try:
        raise ValueError("what happened")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})
    assert "what happened" in json.loads(JsonLines().format(record))["exception"]


def test_urls_that_the_service_calls_are_not_logged() -> None:
    code = """
import logging
from workers.logs import log_json_lines
log_json_lines("info")
logging.getLogger("httpx").info("HTTP Request: POST https://host.example/?token=secret")
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_what_a_thread_keeps_is_on_its_lines_until_it_keeps_something_else() -> None:
    def line(**extra: str) -> dict[str, str]:
        record = logging.makeLogRecord({"msg": "done", **extra})
        assert ContextFields().filter(record)
        return json.loads(JsonLines().format(record))

    def in_a_thread() -> list[object]:
        keep_in_log(request_id="r1", trace_id="t1")
        first, own = line(), line(request_id="of the line itself")
        keep_in_log(request_id="r2")
        return [first["request_id"], first["trace_id"], own["request_id"], line()["request_id"], "trace_id" in line()]

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(in_a_thread).result() == ["r1", "t1", "of the line itself", "r2", False]
    assert "r2" not in line().values()
