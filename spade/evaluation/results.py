"""A folder of results as the published code lays it out, with a page to look at them and a list for programs.

H W pixels.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spade.data.samples import TrainingBatch
from spade.data.shown import shown_input
from spade.data.transforms import floats_to_picture
from spade.evaluation.picture_folder import file_stem
from spade.evaluation.report import installed_versions
from spade.evaluation.results_page import PageRow, write_results_page
from spade.evaluation.synthesized import SynthesizedBatch
from spade.files import clear_partials, written_whole
from spade.pages.page import LegendEntry
from spade.pictures import encode_picture

KINDS: Mapping[str, str] = MappingProxyType(
    {"input_label": "Input label", "synthesized_image": "Synthesized image", "real_image": "Real image"}
)
"""Folders under `images`, and what their pictures are called."""
PAGE, LIST = "index.html", "results.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsAbout:
    """What the pictures are, for the page and the list."""

    model: str
    training: str | None
    """Whether the model was trained, where that is known."""
    weights_sha256: str
    dataset: str
    split: str
    width: int
    height: int
    varies: bool
    """Whether the seed changes the pictures."""
    classes: Sequence[LegendEntry]
    """Name and colour of the class at each place; the unknown class, if there is one, comes last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The files of one sample, by their kind, relative to the folder of results."""

    name: str
    seed: int | None
    """None where it makes no difference."""
    files: Mapping[str, str]


def write_pictures(folder: Path, batches: Iterable[SynthesizedBatch], about: ResultsAbout) -> Iterator[Written]:
    """Writes `images/<kind>/<stem>.png` of every sample as it comes. Raises OSError."""
    for left_in in (folder, *(folder / "images" / kind for kind in KINDS)):
        clear_partials(left_in)
    colors = {class_id: entry.color for class_id, entry in enumerate(about.classes)}
    for batch in batches:
        for number, name in enumerate(batch.source.names):
            pictures = {
                "input_label": shown_input(batch.source.labels[number].numpy(), colors),
                "synthesized_image": batch.pictures[number],
            }
            if isinstance(batch.source, TrainingBatch):
                pictures["real_image"] = floats_to_picture(batch.source.pictures[number].numpy())
            paths = {kind: f"images/{kind}/{file_stem(name)}.png" for kind in pictures}
            for kind, pixels in pictures.items():
                with written_whole(folder / paths[kind]) as partial:
                    partial.write_bytes(encode_picture(pixels))
            yield Written(name=name, seed=batch.seeds[number] if about.varies else None, files=paths)


def write_page_and_list(folder: Path, written: Sequence[Written], about: ResultsAbout) -> None:
    """Writes `index.html` and `results.json`. Raises OSError."""
    facts = {
        "model": about.model,
        "training": about.training or "",
        "weights": f"sha256 {about.weights_sha256[:16]}…",
        "dataset": f"{about.dataset}, {about.split}",
        "size": f"{about.width}x{about.height}",
    }
    write_results_page(
        folder / PAGE,
        [_row(one) for one in written],
        title=f"{about.model} on {about.dataset}",
        facts={name: value for name, value in facts.items() if value},
        width=about.width,
        height=about.height,
        legend=about.classes,
    )
    with written_whole(folder / LIST) as partial:
        partial.write_text(json.dumps(_listed(written, about), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _row(written: Written) -> PageRow:
    note = "" if written.seed is None else f"seed {written.seed}"
    return PageRow(name=written.name, pictures={KINDS[kind]: path for kind, path in written.files.items()}, note=note)


def _listed(written: Sequence[Written], about: ResultsAbout) -> dict[str, Any]:
    known = ("model", "training", "weights_sha256", "dataset", "split", "width", "height")
    pictures = [{"name": one.name, "seed": one.seed, **one.files} for one in written]
    return {name: getattr(about, name) for name in known} | {"versions": installed_versions(), "pictures": pictures}
