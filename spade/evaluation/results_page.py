"""A page of pictures to look through: one HTML file that needs nothing but the pictures beside it. Light: no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from spade.files import written_whole
from spade.pages.page import LegendEntry, figure, page


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """What belongs together, as a label map and the picture made from it."""

    name: str
    pictures: Mapping[str, str]
    """Path of each picture relative to the page, by what it is, as in `Synthesized image`."""
    note: str = ""
    """A short remark, as the seed."""


def write_results_page(
    path: Path,
    rows: Sequence[PageRow],
    *,
    title: str,
    facts: Mapping[str, str],
    width: int,
    height: int,
    legend: Sequence[LegendEntry] = (),
) -> None:
    """Writes the page at one stroke.

    `facts` are shown under the title; `width` and `height` are those of the pictures, whose room is kept free until
    they are loaded. Raises OSError.
    """
    columns = max((len(row.pictures) for row in rows), default=1)
    content = f"""<header class="tools">
<input type="search" id="search" placeholder="Search names" aria-label="Search names" autocomplete="off">
<span id="count" role="status">{len(rows)} row{"" if len(rows) == 1 else "s"}</span>
<label>Size <input type="range" id="side" min="96" max="768" step="16" value="256"></label>
</header>
<main style="--columns:{columns};--ratio:{height / width:.4f}">
{"".join(_row(row, width, height) for row in rows)}
</main>"""
    style, script = (_ours(f"results_page.{kind}") for kind in ("css", "js"))
    with written_whole(path) as partial:
        whole = page(title, content, facts=facts, legend=legend, style=style, script=script)
        partial.write_text(whole, encoding="utf-8")


def _row(row: PageRow, width: int, height: int) -> str:
    figures = "".join(
        figure(quote(path), kind, alt=f"{kind} of {row.name}", width=width, height=height)
        for kind, path in row.pictures.items()
    )
    note = f"<small>{escape(row.note)}</small>" if row.note else ""
    return f'<article><h2>{escape(row.name)}{note}</h2><div class="pictures">{figures}</div></article>\n'


def _ours(name: str) -> str:
    return (files("spade.evaluation") / name).read_text(encoding="utf-8")
