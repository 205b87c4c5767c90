"""What an inspection found, for people and for programs."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from spade.data.histogram import save_histogram
from spade.data.inspection import Inspection, PhaseReport

SIZES_SHOWN = 3


def inspection_json(inspection: Inspection, names: Mapping[int, str]) -> dict[str, Any]:
    """A JSON object."""
    proposal = inspection.proposal
    return {
        "mode": str(inspection.mode),
        "guessed": inspection.guessed,
        "sound": inspection.sound,
        "phases": {str(phase): _phase_json(report, names) for phase, report in inspection.phases.items()},
        "absent": {str(phase): why for phase, why in inspection.absent.items()},
        "proposal": proposal
        and {"label_nc": proposal.label_nc, "dont_care": proposal.dont_care, "note": proposal.note},
    }


def print_inspection(folder: Path, inspection: Inspection, names: Mapping[int, str]) -> None:
    """Print what `spade dataset inspect` found, for a person."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"{folder}: mode {inspection.mode}{' (guessed)' if inspection.guessed else ''}")
    for phase, report in inspection.phases.items():
        console.print(f"{phase}: {report.samples} samples, {_sizes(report)}")
        if report.colored:
            remedy = "--palette reads them, or label_nc 0 takes them as pictures"
            console.print(f"{phase}: {report.colored} label maps are RGB: {remedy}")
        for problem in (*report.broken_pairs, *report.unreadable):
            console.print(f"{phase}: broken: {problem}")
    for phase, why in inspection.absent.items():
        console.print(f"{phase}: {why}")
    pixels, pictures = _totals(inspection)
    if pixels:
        console.print(_class_table(pixels, pictures, names))
    if inspection.proposal:
        proposal = inspection.proposal
        care = "dont_care" if proposal.dont_care else "no dont_care"
        console.print(f"Proposed: label_nc {proposal.label_nc}, {care} ({proposal.note})")


def save_class_histogram(path: Path, inspection: Inspection, names: Mapping[int, str], *, title: str) -> None:
    """Draw how frequent each class is, over all phases, to a PNG file."""
    pixels, pictures = _totals(inspection)
    save_histogram(path, pixels, pictures, names, title=f"{title}: classes by their share of all pixels")


def _totals(inspection: Inspection) -> tuple[Counter[int], Counter[int]]:
    """Pixels and pictures by id, over all phases."""
    pixels: Counter[int] = Counter()
    pictures: Counter[int] = Counter()
    for report in inspection.phases.values():
        pixels.update(report.pixels)
        pictures.update(report.pictures)
    return pixels, pictures


def _class_table(pixels: Counter[int], pictures: Counter[int], names: Mapping[int, str]) -> Table:
    table = Table("id", "name", "share", "pictures")
    total = sum(pixels.values())
    for number, count in sorted(pixels.items()):
        table.add_row(str(number), names.get(number, ""), f"{100 * count / total:.3g} %", str(pictures[number]))
    return table


def _sizes(report: PhaseReport) -> str:
    shown = [f"{width}x{height} ({count})" for (width, height), count in list(report.sizes.items())[:SIZES_SHOWN]]
    more = len(report.sizes) - SIZES_SHOWN
    return ", ".join(shown) + (f" and {more} sizes more" if more > 0 else "") if shown else "no readable label map"


def _phase_json(report: PhaseReport, names: Mapping[int, str]) -> dict[str, Any]:
    classes = [
        {"id": number, "name": names.get(number), "pixels": count, "pictures": report.pictures[number]}
        for number, count in report.pixels.items()
    ]
    sizes = [{"width": width, "height": height, "samples": count} for (width, height), count in report.sizes.items()]
    return {
        "samples": report.samples,
        "sizes": sizes,
        "classes": classes,
        "broken_pairs": list(report.broken_pairs),
        "unreadable": list(report.unreadable),
        "colored": report.colored,
    }
