"""A page of results that needs nothing but itself: style, pictures and curves are inside."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8889; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; } td, th { padding: .15rem 1rem .15rem 0; text-align: left; vertical-align: top; }
th { font-weight: 500; color: var(--soft); } figure { margin: 1rem 0; } figcaption { color: var(--soft); }
img, svg { max-width: 100%; height: auto; } pre { overflow: auto; border: 1px solid var(--line); padding: .8rem; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 1rem; }
.curves svg { width: 100%; border: 1px solid var(--line); } text { fill: currentColor; font-size: 11px; }
polyline { fill: none; stroke: #2a7fd4; stroke-width: 1.5; }
"""
_CURVE_WIDTH, _CURVE_HEIGHT, _CURVE_TOP, _CURVE_MARGIN = 360, 180, 24, 8


def page(title: str, sections: Sequence[str], *, refresh_seconds: int | None = None) -> str:
    """A whole page; with `refresh_seconds` a browser loads it again that often."""
    refresh = f'<meta http-equiv="refresh" content="{refresh_seconds}">' if refresh_seconds else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">{refresh}'
        f'<meta name="viewport" content="width=device-width">\n<title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>{html.escape(title)}</h1>\n"
        + "\n".join(sections)
        + "\n</body>\n</html>\n"
    )


def section(title: str, content: str, *, folded: bool = False) -> str:
    """A heading and what belongs to it; `folded` shows the heading only until one opens it."""
    if folded:
        return f"<details><summary>{html.escape(title)}</summary>{content}</details>"
    return f"<h2>{html.escape(title)}</h2>\n{content}"


def facts(values: Mapping[str, object]) -> str:
    """A table of names and values."""
    rows = [
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>" for name, value in values.items()
    ]
    return "<table>" + "".join(rows) + "</table>"


def text(content: str) -> str:
    """Text as it stands, in letters of equal width."""
    return f"<pre>{html.escape(content)}</pre>"


def picture(path: Path, caption: str, *, quality: int = 88) -> str:
    """The picture of a file, inside the page as JPEG, with a link to the file."""
    encoded = io.BytesIO()
    with Image.open(path) as image:
        width, height = image.size
        image.convert("RGB").save(encoded, format="JPEG", quality=quality)
    data = base64.b64encode(encoded.getvalue()).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" width="{width}" height="{height}" '
        f'alt="{html.escape(caption)}"><figcaption>{html.escape(caption)}</figcaption></figure>'
    )


def curve(title: str, points: Sequence[tuple[float, float]]) -> str:
    """A line through `points`, as a drawing of its own, with its range and its last value written beside it."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = min(ys), max(ys)
    left, wide = min(xs), (max(xs) - min(xs)) or 1.0
    tall = (high - low) or 1.0
    scale_x = (_CURVE_WIDTH - 2 * _CURVE_MARGIN) / wide
    scale_y = (_CURVE_HEIGHT - _CURVE_TOP - 2 * _CURVE_MARGIN) / tall
    top = _CURVE_TOP + _CURVE_MARGIN
    drawn = " ".join(f"{_CURVE_MARGIN + (x - left) * scale_x:.1f},{top + (high - y) * scale_y:.1f}" for x, y in points)
    heading = f"{title}: {ys[-1]:.4g} (from {low:.4g} to {high:.4g})"
    return (
        f'<svg viewBox="0 0 {_CURVE_WIDTH} {_CURVE_HEIGHT}" role="img" aria-label="{html.escape(heading)}">'
        f'<text x="{_CURVE_MARGIN}" y="16">{html.escape(heading)}</text><polyline points="{drawn}"/></svg>'
    )


def curves(drawings: Sequence[str]) -> str:
    """Curves side by side."""
    return f'<div class="curves">{"".join(drawings)}</div>'
