"""From the report of an evaluation to what a model's card says of it."""

from dataclasses import replace
from pathlib import Path

from model_store.card import ModelCard
from model_store.errors import CardError
from model_store.measured import Figure, Measured
from model_store.registry import CARD_FILE
from model_store.versions import models_folder, read_card, sole_writer, write_card
from spade.evaluation.report import Report


def require_card_of(folder: Path, weights_sha256: str) -> ModelCard:
    """The card in a version's `folder`. Raises CardError: where it cannot be used, or is of other weights."""
    card = read_card(folder / CARD_FILE)
    if card.weights.sha256 != weights_sha256:
        raise CardError(
            f"{folder / CARD_FILE}: it is of weights with sha256 {card.weights.sha256}, the measured model has "
            f"{weights_sha256}"
        )
    return card


def note_in_card(report: Report, folder: Path, weights_sha256: str) -> None:
    """Writes the figures of the report of a model into the card of its version's `folder`.

    Raises CardError: as `require_card_of`.
    """
    with sole_writer(models_folder(folder)):
        card = require_card_of(folder, weights_sha256)
        write_card(folder, replace(card, measured=measured(report)))


def measured(report: Report) -> Measured:
    """What a card says of a report."""
    protocol = report.protocol
    segmenter = next((weights for weights in protocol.weights if weights.role == "segmenter"), None)
    mode, _, folder = protocol.reference.source.partition(" ")
    return Measured(
        dataset=f"{mode} {Path(folder).name}".strip(),
        split=protocol.reference.split or "",
        pictures=protocol.generated.count,
        width=protocol.width,
        height=protocol.height,
        seed=protocol.generated.seed,
        segmenter_sha256=None if segmenter is None else segmenter.sha256,
        figures=tuple(
            Figure(name=metric.name, title=metric.title, value=metric.value, shown=metric.shown)
            for metric in report.metrics
        ),
    )
