import re
from html.parser import HTMLParser
from pathlib import Path

from spade.evaluation.results_page import PageRow, write_results_page
from spade.pages.page import LegendEntry


class Reader(HTMLParser):
    """Collects images, headings and what is loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.external: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "img" and "src" in given:
            self.images.append(given)
        if tag in ("link", "script", "iframe") and (given.get("src") or given.get("href")):
            self.external.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(path: Path) -> tuple[Reader, str]:
    page = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    return reader, page


def test_the_page_holds_all_rows_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    rows = [
        PageRow(
            name=f"street <{number}>",
            pictures={"Input label": f"images/a b/{number}#.png", "Real image": f"images/r/{number}.png"},
            note=f"seed {number}",
        )
        for number in range(3)
    ]
    write_results_page(
        tmp_path / "index.html",
        rows,
        title='model "x" & more',
        facts={"dataset": "<camvid>"},
        width=256,
        height=192,
        legend=[LegendEntry(name="sky", color=0x80C0FF)],
    )
    reader, page = read(tmp_path / "index.html")
    assert not reader.external
    assert "http" not in re.sub(r"<!doctype[^>]*>", "", page)
    assert [image["src"] for image in reader.images[:2]] == ["images/a%20b/0%23.png", "images/r/0.png"]
    assert len(reader.images) == 6
    assert {(image["loading"], image["width"], image["height"]) for image in reader.images} == {("lazy", "256", "192")}
    text = "".join(reader.text)
    for expected in ("street <2>", "seed 2", 'model "x" & more', "<camvid>", "3 rows", "sky"):
        assert expected in text
    assert "#80c0ff" in page
    assert 'type="search"' in page
    assert "prefers-color-scheme: dark" in page


def test_a_page_without_rows_or_classes_is_a_page(tmp_path: Path) -> None:
    write_results_page(tmp_path / "new" / "index.html", [], title="none", facts={}, width=8, height=8)
    reader, _ = read(tmp_path / "new" / "index.html")
    assert not reader.images
    assert "0 rows" in "".join(reader.text)
