"""The frame of every page: title, facts, legend, a button for light or dark, and a viewer for the pictures.

The content has a <main> with <article>s; each <figure> with a picture in one can be opened large, and arrow keys lead
to the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from spade.palettes import format_color


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendEntry:
    """A class and its colour 0xRRGGBB."""

    name: str
    color: int


def page(
    title: str,
    content: str,
    *,
    facts: Mapping[str, str],
    legend: Sequence[LegendEntry] = (),
    style: str = "",
    script: str = "",
    refresh_seconds: int | None = None,
) -> str:
    """A whole page around `content`, which is HTML, as are its own `style` and `script` CSS and JavaScript.

    With `refresh_seconds` the page loads itself again that often, but not while a picture is open.
    """
    refresh = f' data-refresh="{refresh_seconds}"' if refresh_seconds else ""
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{_ours("style.css")}{style}</style>
</head>
<body{refresh}>
<header>
<div class="title"><h1>{escape(title)}</h1><button type="button" id="theme">Light or dark</button></div>
<dl>{listed}</dl>
{_legend(legend)}
</header>
{content}
<dialog id="viewer" aria-label="Picture"><img alt=""><p></p></dialog>
<script>
{_ours("script.js")}{script}</script>
</body>
</html>
"""


def figure(source: str, caption: str, *, alt: str, width: int, height: int) -> str:
    """A picture that opens large; `source` is its address, `width` and `height` keep room until it is there."""
    return (
        f'<figure><button type="button"><img src="{escape(source)}" alt="{escape(alt)}" width="{width}" '
        f'height="{height}" loading="lazy" decoding="async"></button>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _legend(legend: Sequence[LegendEntry]) -> str:
    if not legend:
        return ""
    entries = "".join(
        f'<li><i style="background:{format_color(entry.color)}"></i>{escape(entry.name)}</li>' for entry in legend
    )
    return f'<details><summary>{len(legend)} classes</summary><ul class="legend">{entries}</ul></details>'


def _ours(name: str) -> str:
    return (files("spade.pages") / name).read_text(encoding="utf-8")
