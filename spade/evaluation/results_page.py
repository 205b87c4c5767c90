"""A page of pictures to look through: one HTML file that needs nothing but the pictures beside it. Light: no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from urllib.parse import quote

from spade.files import written_whole
from spade.palettes import format_color


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """What belongs together, as a label map and the picture made from it."""

    name: str
    pictures: Mapping[str, str]
    """Path of each picture relative to the page, by what it is, as in `Synthesized image`."""
    note: str = ""
    """A short remark, as the seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    """A class and its colour 0xRRGGBB."""

    name: str
    color: int


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
    page = Template((files("spade.evaluation") / "results_page.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        facts="".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items()),
        legend=_legend(legend),
        count=f"{len(rows)} row{'' if len(rows) == 1 else 's'}",
        columns=columns,
        ratio=f"{height / width:.4f}",
        rows="\n".join(_row(row, width, height) for row in rows),
    )
    with written_whole(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _row(row: PageRow, width: int, height: int) -> str:
    figures = "".join(
        f'<figure><button type="button"><img src="{escape(quote(path))}" alt="{escape(f"{kind} of {row.name}")}" '
        f'width="{width}" height="{height}" loading="lazy" decoding="async"></button>'
        f"<figcaption>{escape(kind)}</figcaption></figure>"
        for kind, path in row.pictures.items()
    )
    note = f"<small>{escape(row.note)}</small>" if row.note else ""
    return f'<article><h2>{escape(row.name)}{note}</h2><div class="pictures">{figures}</div></article>'


def _legend(legend: Sequence[LegendEntry]) -> str:
    if not legend:
        return ""
    entries = "".join(
        f'<li><i style="background:{format_color(entry.color)}"></i>{escape(entry.name)}</li>' for entry in legend
    )
    return f'<details><summary>{len(legend)} classes</summary><ul class="legend">{entries}</ul></details>'
