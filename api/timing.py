"""Where the time of a request goes: a span for each stage where traces are on, and `Server-Timing` for everybody."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, cast

from flask import Response, g

from workers.messages import ItemView
from workers.traces import Span

HEADER: Final = "Server-Timing"
FIRST_ERROR: Final = 500
_TOKEN: Final = re.compile(r"[a-z]+")


class RequestTimes:
    """The seconds of a request by stage, those of what it answers with, and the span of it all."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._began = time.perf_counter()
        self._seconds: dict[str, float] = {}
        self._told: list[str] = []

    @property
    def seconds(self) -> float:
        """Since the request came in."""
        return time.perf_counter() - self._began

    @contextmanager
    def stage(self, name: str, *, is_producer: bool = False) -> Iterator[Span]:
        """Time what the body does; its span fails with what the body raises."""
        began = time.perf_counter()
        span = self.span.child(name, is_producer=is_producer)
        error = ""
        try:
            yield span
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
            raise
        finally:
            span.end(error=error)
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - began

    def tell_pictures(self, items: Sequence[ItemView]) -> None:
        """Tell also where the time of these went: the mean of each stage, as `picture-STAGE`."""
        stages: dict[str, list[float]] = {}
        for item in items:
            for stage, seconds in item.timings.items():
                stages.setdefault(stage, []).append(seconds)
        for stage, all_seconds in stages.items():
            if _TOKEN.fullmatch(stage):
                described = f'desc="mean of {len(all_seconds)}"'
                self._told.append(f"{_metric(f'picture-{stage}', sum(all_seconds) / len(all_seconds))};{described}")

    def header(self) -> str:
        """The value of `Server-Timing`: the stages in their order, then the total, then the pictures'."""
        own = [_metric(name, seconds) for name, seconds in self._seconds.items()]
        return ", ".join([*own, _metric("total", self.seconds), *self._told])

    def end(self, response: Response) -> None:
        """The request is answered."""
        self.span.note({"http.response.status_code": response.status_code})
        self.span.end(error=response.status if response.status_code >= FIRST_ERROR else "")


def times() -> RequestTimes:
    """Those of the current request."""
    return cast(RequestTimes, g.times)


def _metric(name: str, seconds: float) -> str:
    return f"{name};dur={1000 * seconds:.2f}"
