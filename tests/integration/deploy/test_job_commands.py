"""`spade-serve submit`, `status` and `models` against a real service."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zipfile import ZipFile

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from api.client import SpadeClient
from api.parameters import JobParameters
from api.representation import Job
from deploy.cli import main
from deploy.examples import example_label_maps
from deploy.store_access import access_stores
from support.answering import reply, serving
from support.programs import SPADE_SERVE, Up
from support.waiting import wait_until
from workers.messages import State

BEACH, LAKE = (str(example.path) for example in example_label_maps()[:2])


@pytest.fixture
def spade_serve(up: Up, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SPADE_URL", up.url)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    return invoke


def test_submit_downloads_every_picture(spade_serve: Any, tmp_path: Path) -> None:
    result = spade_serve(
        "submit", BEACH, LAKE, "--model", "landscape", "--seed", "5", "--format", "webp", "--out", str(tmp_path)
    )
    assert result.exit_code == 0, result.output
    paths = [tmp_path / "0-beach.webp", tmp_path / "1-lake.webp"]
    assert [line for line in result.stdout.splitlines() if line.startswith("/")] == [str(path) for path in paths]
    for path in paths:
        with Image.open(path) as picture:
            assert (picture.format, picture.size) == ("WEBP", (256, 256))


def test_submit_goes_on_through_an_api_that_is_killed(up: Up, client: SpadeClient, tmp_path: Path) -> None:
    command = [SPADE_SERVE, "submit", BEACH, "--model", "landscape", "--variations", "12", "--label", "test=killed"]
    options = ["--url", up.url, "--out", str(tmp_path)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as submit:
        wait_until(lambda: _labelled(client), "the job is submitted")
        api = up.child("api.wsgi")
        assert api is not None
        os.kill(api.pid, signal.SIGKILL)
        output, errors = submit.communicate(timeout=200)
    assert submit.returncode == 0, output + errors
    assert len(list(tmp_path.iterdir())) == 12
    assert len(_labelled(client)) == 1


def _labelled(client: SpadeClient) -> list[str]:
    return [job.id for job in client.jobs().jobs if job.labels.get("test") == "killed"]


def test_submit_passes_labels_styles_and_a_webhook_on(spade_serve: Any) -> None:
    arguments = ("submit", BEACH, "--model", "landscape", "--no-wait", "--json")
    result = spade_serve(*arguments, "--label", "order=7", "--label", "note=a=b")
    assert json.loads(result.stdout)["job"]["labels"] == {"order": "7", "note": "a=b"}
    refused = spade_serve(*arguments, "--webhook", "http://127.0.0.1:9/hook")
    assert refused.exit_code != 0
    assert "webhook: its host '127.0.0.1' has an address that is not public" in refused.stderr
    blended = spade_serve(*arguments, "--style", "day:sunset:0.3")
    assert json.loads(blended.stdout)["job"]["style"] == {"blend": ["day", "sunset"], "weight": 0.3}
    assert json.loads(spade_serve(*arguments, "--style", "sunset").stdout)["job"]["style"] == "sunset"
    assert "write FIRST:SECOND:WEIGHT" in spade_serve(*arguments, "--style", "day:sunset:some").stderr
    assert "'order' has no =; write KEY=VALUE" in spade_serve(*arguments, "--label", "order").stderr


def test_submit_downloads_an_archive(spade_serve: Any, tmp_path: Path) -> None:
    result = spade_serve("submit", BEACH, "--model", "landscape", "--archive", "--json", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert list(tmp_path.iterdir()) == [tmp_path / f"{answer['job']['id']}.zip"] == [Path(answer["pictures"][0])]
    with ZipFile(answer["pictures"][0]) as archive:
        assert archive.namelist() == ["beach-0.png", "manifest.json"]


def test_submit_takes_what_lies_below_a_prefix(spade_serve: Any, up: Up, tmp_path: Path) -> None:
    objects = access_stores(up.state).objects
    for path in (BEACH, LAKE):
        objects.put(f"inputs/mine/{Path(path).name}", Path(path).read_bytes())
    result = spade_serve("submit", "--prefix", "inputs/mine/", "--model", "landscape", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == {"0-beach.png", "1-lake.png"}


@pytest.fixture
def in_pages_of_one(client: SpadeClient) -> Callable[[Job], AbstractContextManager[str]]:
    """A function that answers whoever submits with a job that has ended, an item a page; it gives the address."""

    def serve(job: Job) -> AbstractContextManager[str]:
        pictures = {item.image.href: client.picture(item) for item in job.items if item.image is not None}

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
            where = urlsplit(handler.path)
            if where.path.endswith("/events"):
                reply(handler, 204, b"")
            elif where.path in pictures:
                reply(handler, 200, pictures[where.path])
            else:
                index = 1 + int(parse_qs(where.query).get("items_after", ["-1"])[0])
                following = None if index + 1 == len(job.items) else f"{job.links.self}?items_after={index}"
                page = job.model_copy(update={"items": [job.items[index]], "items_next": following})
                reply(handler, 200, page.model_dump_json().encode())

        return serving(answer)

    return serve


def test_submit_downloads_the_pictures_that_are_told_of_in_later_answers(
    client: SpadeClient,
    in_pages_of_one: Callable[[Job], AbstractContextManager[str]],
    tmp_path: Path,
) -> None:
    job = client.follow(client.submit([Path(BEACH), Path(LAKE)], JobParameters(model="landscape")).id)
    with in_pages_of_one(job) as url:
        result = CliRunner().invoke(main, ["submit", BEACH, "--model", "m", "--url", url, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == {"0-beach.png", "1-lake.png"}


def test_submit_tells_of_what_is_missing_among_the_items_of_later_answers(
    client: SpadeClient,
    in_pages_of_one: Callable[[Job], AbstractContextManager[str]],
    tmp_path: Path,
) -> None:
    job = client.follow(client.submit([Path(BEACH), Path(LAKE)], JobParameters(model="landscape")).id)
    lost = job.items[1].model_copy(update={"state": State.FAILED, "detail": "it is no map", "image": None})
    counts = job.counts.model_copy(update={"succeeded": 1, "failed": 1})
    failed = job.model_copy(update={"state": State.FAILED, "counts": counts, "items": [job.items[0], lost]})
    with in_pages_of_one(failed) as url:
        result = CliRunner().invoke(main, ["submit", BEACH, "--model", "m", "--url", url, "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.endswith("Error: 1 of 2 pictures are missing; lake.png ended as failed: it is no map\n")
    assert {path.name for path in tmp_path.iterdir()} == {"0-beach.png"}


@pytest.mark.parametrize("arguments", [(), (BEACH, "--prefix", "inputs/")])
def test_submit_wants_label_maps_or_a_prefix(spade_serve: Any, arguments: tuple[str, ...]) -> None:
    result = spade_serve("submit", *arguments, "--model", "landscape")
    assert result.exit_code == 2
    assert "give label maps, or --prefix, one of both" in result.stderr


@pytest.mark.parametrize("inputs", [(BEACH,), ("--prefix", "inputs/")])
def test_submit_sends_a_style_image_along(spade_serve: Any, inputs: tuple[str, ...]) -> None:
    result = spade_serve("submit", *inputs, "--model", "coco-stuff", "--style-image", LAKE)
    assert result.exit_code == 1
    assert "the model coco-stuff has no encoder to read styles from pictures" in result.stderr


def test_submit_takes_a_zip(spade_serve: Any, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "maps.zip", "w") as archive:
        archive.write(BEACH, "set/beach.png")
        archive.write(LAKE, "set/lake.png")
    result = spade_serve("submit", str(tmp_path / "maps.zip"), "--model", "landscape", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.glob("*.png")} == {"0-beach.png", "1-lake.png"}


def test_submit_without_waiting_gives_the_job_that_status_then_shows(spade_serve: Any, tmp_path: Path) -> None:
    result = spade_serve("submit", BEACH, "--model", "landscape", "--no-wait", "--json", "--out", str(tmp_path / "out"))
    answer = json.loads(result.stdout)
    assert answer["pictures"] == []
    assert not (tmp_path / "out").exists()
    job_id = answer["job"]["id"]
    shown = spade_serve("status", job_id)
    assert shown.exit_code == 0
    assert f"job {job_id}: " in shown.stdout
    assert "beach.png" in shown.stdout
    assert json.loads(spade_serve("status", job_id, "--json").stdout)["id"] == job_id
    assert job_id in spade_serve("status").stdout


def test_models_are_shown_with_whether_they_are_trained(spade_serve: Any) -> None:
    lines = spade_serve("models", "list").stdout.splitlines()
    assert any(all(text in line for text in ("landscape@1", "trained", "256x256", "day")) for line in lines)
    names = [model["name"] for model in json.loads(spade_serve("models", "list", "--json").stdout)["models"]]
    assert names == ["coco-stuff", "landscape", "street"]


def test_a_parameter_that_cannot_be_is_one_line_and_exit_code_1(spade_serve: Any) -> None:
    result = spade_serve("submit", BEACH, "--model", "seascape")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "seascape" in result.output


@pytest.mark.parametrize("size", ["large", "0x0", "256"])
def test_a_malformed_size_is_refused_before_anything_is_sent(spade_serve: Any, size: str) -> None:
    result = spade_serve("submit", BEACH, "--model", "landscape", "--size", size)
    assert result.exit_code != 0
    assert "size" in result.output
    assert "Traceback" not in result.output


def test_a_fault_of_no_single_parameter_is_told_without_a_name(spade_serve: Any) -> None:
    result = spade_serve("submit", BEACH, "--model", "landscape", "--seed", str(2**53 - 1), "--variations", "2")
    assert result.exit_code == 2
    assert "Error: seed + variations - 1 may be at most" in result.output


def test_a_folder_that_cannot_be_made_is_one_line_and_exit_code_1(spade_serve: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = spade_serve("submit", BEACH, "--model", "landscape", "--out", str(tmp_path / "file" / "out"))
    assert result.exit_code == 1
    assert f"Error: {tmp_path}/file/out: Not a directory" in result.output


def test_a_picture_of_a_size_that_the_model_cannot_make_is_an_error(spade_serve: Any, tmp_path: Path) -> None:
    result = spade_serve("submit", BEACH, "--model", "landscape", "--size", "128x128", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert "256" in result.output
