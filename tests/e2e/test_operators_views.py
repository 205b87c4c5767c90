"""The views of operators on a service at work: /ops in a real browser, `spade-serve top` in a terminal."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from api.charts import Charts
from api.client import SpadeClient
from api.parameters import JobParameters
from deploy.examples import example_label_maps
from deploy.local.stack import LocalStack, running
from deploy.store_access import service_settings
from spade.device import device_title, pick_device
from support.browser import open_page
from support.keys import make_key
from support.programs import SPADE_SERVE
from support.waiting import wait_until
from workers.messages import Priority
from workers.storage import ObjectStore

MODEL = "landscape"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[LocalStack]:
    """A service with Prometheus, if this machine has it, that has made some pictures."""
    environment = {**os.environ, "SPADE_MODELS_DIR": str(models_dir), "SPADE_DEVICE": "auto"}
    state = tmp_path_factory.mktemp("state")
    stack = LocalStack(state, environment=environment, report=lambda _: None, is_watched=True)
    with running(stack):
        for priority in Priority:
            make_picture(stack, seed=3, priority=priority)
        yield stack


def make_picture(stack: LocalStack, **parameters: Any) -> None:
    label_map = next(example.path for example in example_label_maps() if example.model == MODEL)
    with SpadeClient(stack.url) as client:
        client.follow(client.submit([label_map], JobParameters(model=MODEL, **parameters)).id)


def test_the_page_shows_what_was_made_and_charts_of_it(stack: LocalStack) -> None:
    with open_page() as (page, wrong):
        page.goto(f"{stack.url}/ops")
        expect(page.locator("#jobs tbody tr")).to_have_count(3)
        assert page.locator("#jobs tbody tr").first.inner_text().split("\t")[0] == "succeeded"
        expect(page.locator("#workers tbody tr")).to_have_count(1)
        expect(page.locator("#queues tbody")).to_contain_text(MODEL)
        expect(page.locator("#owners tbody")).to_contain_text("local")
        expect(page.locator("#failures")).to_have_text("None.")
        expect(page.locator(".chart").nth(4)).to_be_visible()
        expect(page.locator("#source")).to_contain_text("from")
        seeds = count(10)
        drawn = page.locator(".chart path")
        wait_until(lambda: make_picture(stack, seed=next(seeds)) or drawn.count(), "a chart has a line", seconds=90)
        expect(drawn.first).to_have_attribute("d", re.compile(r"^M\d"))
        assert wrong == []


def test_a_worker_goes_by_one_name_and_by_the_device_that_was_found(stack: LocalStack) -> None:
    def labels_of_busy_devices() -> set[str]:
        charts = Charts.model_validate_json(httpx.get(f"{stack.url}/ops/charts").text).charts
        return {line.label for chart in charts if chart.name == "busy" for line in chart.series}

    with SpadeClient(stack.url) as client:
        (worker,) = client.operations().workers
    assert worker.device == device_title(pick_device("auto"))
    seeds = count(1000)
    wait_until(lambda: make_picture(stack, seed=next(seeds)) or labels_of_busy_devices(), "a device was busy")
    assert labels_of_busy_devices() == {worker.name}


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
def test_nothing_runs_over_the_edge(stack: LocalStack, width: int, scheme: str) -> None:
    with open_page(width=width, color_scheme=scheme) as (page, wrong):
        page.goto(f"{stack.url}/ops")
        expect(page.locator("#jobs tbody tr").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(
            "[...document.querySelectorAll('.scroll')].every((at) => at.scrollWidth <= at.clientWidth)"
        )
        assert page.locator("#jobs thead").is_visible() == (width > 640)
        shown = page.locator("#jobs td").first.evaluate("(at) => getComputedStyle(at, '::before').content")
        assert shown == ("none" if width > 640 else '"state"'), "a cell of a card says of what it is"
        luminance = background(page)
        assert luminance > 0.9 if scheme == "light" else luminance < 0.1
        assert wrong == []


def background(page: Page) -> float:
    red, green, blue = map(
        int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]
    )
    return (red + green + blue) / 3 / 255


def test_top_looks_once_or_tells_programs(stack: LocalStack) -> None:
    command = [SPADE_SERVE, "top", "--url", stack.url]
    shown = subprocess.run([*command, "--once"], capture_output=True, text=True, check=True).stdout
    assert "pictures/s" in shown
    assert re.search(rf"{MODEL} +0 +0 +0 +0 s", shown)
    told = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout)
    assert [queue["succeeded"] >= 3 for queue in told["queues"]] == [True]


def test_top_goes_on_until_ctrl_c(stack: LocalStack) -> None:
    main, side = pty.openpty()
    with subprocess.Popen(
        # A shell that starts the tests in the background has them ignore Ctrl-C, and children inherit that.
        ["env", "--default-signal=INT", SPADE_SERVE, "top", "--url", stack.url, "--interval", "0.2"],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "110", "LINES": "40"},
    ) as process:
        os.close(side)
        screens = read_until(main, "pictures/s", times=3)
        process.send_signal(signal.SIGINT)
        screens += read_rest(main)
        assert process.wait(20) == 130
    os.close(main)
    assert "Traceback" not in screens


def read_until(terminal: int, text: str, *, times: int) -> str:
    """What a terminal is written until `text` was there so often."""
    seen, deadline = "", time.monotonic() + 30
    while seen.count(text) < times:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")
    return seen


def read_rest(terminal: int) -> str:
    """Until the program ends; one whose output nobody reads would wait for that."""
    seen = b""
    with contextlib.suppress(OSError):  # as Linux tells that the other side is closed
        while data := os.read(terminal, 65536):
            seen += data
    return seen.decode(errors="replace")


def test_with_keys_the_page_asks_for_one_and_top_says_what_it_lacks(stack: LocalStack) -> None:
    key = make_key(ObjectStore(service_settings(stack.state.path).storage), "metrics")
    with open_page() as (page, _):
        page.goto(f"{stack.url}/ops")
        expect(page.locator("#key")).to_be_visible(timeout=15_000)
        expect(page.locator("#main")).to_be_hidden()
        page.fill("#key-text", key.text)
        page.click("#key button")
        expect(page.locator("#jobs tbody tr").first).to_be_visible(timeout=15_000)
        assert key.text not in page.content()
    command = [SPADE_SERVE, "top", "--url", stack.url, "--once"]
    bare = {name: value for name, value in os.environ.items() if name != "SPADE_API_KEY"}
    refused = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "this needs an API key" in refused.stderr
    allowed = subprocess.run(command, env={**bare, "SPADE_API_KEY": key.text}, capture_output=True, check=False)
    assert allowed.returncode == 0


HOSTILE = "x[/red][link=evil]\x1b]0;pwned\x07\x1b[2J.png"


def test_what_is_in_a_key_moves_no_terminal(stack: LocalStack) -> None:
    objects = ObjectStore(service_settings(stack.state.path).storage)
    key = make_key(objects, "admin", "jobs", owner="local")
    objects.put(f"inputs/local/hostile/{HOSTILE}", b"no picture")
    with SpadeClient(stack.url, key=key.text) as client:
        job = client.submit_prefix("inputs/local/hostile/", JobParameters(model=MODEL, seed=1))
        assert client.follow(job.id).state == "failed"
    environment = {**os.environ, "SPADE_API_KEY": key.text}
    for command in (["top", "--once"], ["status", job.id]):
        shown = subprocess.run(
            [SPADE_SERVE, *command, "--url", stack.url], env=environment, capture_output=True, text=True, check=True
        ).stdout
        assert "x[/red][link=evil]" in shown
        assert not set("\x1b\x07") & set(shown)
