"""The studio as it is served: from files of the package, to anybody, strictly."""

import re
from importlib import resources

import pytest

FOLDER = resources.files("api") / "assets" / "studio"
NAMES = sorted(asset.name for asset in FOLDER.iterdir())
MOST_BYTES = 200_000


def test_the_root_leads_to_the_studio(client):
    response = client.get("/")
    assert (response.status_code, response.headers["Location"]) == (302, "/studio")


def test_the_page_allows_nothing_but_its_own_script_and_style(client):
    page = client.get("/studio")
    assert page.content_type == "text/html; charset=utf-8"
    policy = dict(directive.split(" ", 1) for directive in page.headers["Content-Security-Policy"].split("; "))
    assert policy.pop("img-src") == "'self' blob: data:"
    own = {policy.pop(name) for name in ("script-src", "style-src", "connect-src")}
    assert own == {"'self'"}
    assert set(policy.values()) == {"'none'"}
    text = page.get_data(as_text=True)
    assert re.findall(r"<script(?![^>]*src=)|\sstyle=|\son\w+=", text) == []
    for path in re.findall(r'(?:src|href)="([^"#]+)"', text):
        assert path == "data:," or client.get(path).status_code == 200, path


@pytest.mark.parametrize("name", NAMES)
def test_nothing_leads_to_another_host(name):
    hosts = set(re.findall(rb"https?://([\w.-]+)", (FOLDER / name).read_bytes()))
    assert hosts <= {b"www.w3.org"}  # the name of SVG, which nobody fetches


def test_it_is_small():
    assert sum(len((FOLDER / name).read_bytes()) for name in NAMES) < MOST_BYTES


def test_a_part_is_sent_again_only_if_it_has_changed(client):
    first = client.get("/studio/studio.js")
    assert first.content_type == "text/javascript; charset=utf-8"
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/studio/studio.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.get_data()) == (304, b"")


def test_another_part_is_not_found(client):
    assert client.get("/studio/main.ts").status_code == 404
